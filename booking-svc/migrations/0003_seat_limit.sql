-- What a user holds of a session is asked with every new reservation (MAX_SEATS_HELD_PER_USER). Without this index that would
-- read all the user ever reserved: somebody with a past could slow the batch of everybody else down. None of its columns ever
-- changes, so updates stay HOT.
CREATE INDEX reservations_holder ON reservations (user_id, session_id, expiry_time);
