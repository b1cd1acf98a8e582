-- The seat limit reads a user's latest reservations by reservations_user: ids are made in the order of time, so a range of ids
-- is a range of time. An index of its own put a second page in no order of time into the log for each booking.
DROP INDEX reservations_holder;
