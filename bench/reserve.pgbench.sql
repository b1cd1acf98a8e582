-- R1's yardstick: what the two services write for one reservation of one to four neighbouring seats, as one transaction (one
-- statement, no extra round trips): hold and its trail, seats, version of the session; reservation, items, history. Same tables, same
-- indexes, ids in the order of time, and seats in turn, as W3 asks for them. :bump 0 leaves the session's version alone.
\set count random(1, 4)
WITH turn AS MATERIALIZED (
    SELECT nextval('turn') AS n, time_ordered_id() AS id
), picked AS MATERIALIZED (
    SELECT s.session_id, s.session_seat_id, s.price_minor, t.id
    FROM turn t JOIN pick b ON b.session_no = t.n % :sessions + 1
        AND b.seat_no BETWEEN t.n / :sessions * 4 % (:seats - 4) + 1 AND t.n / :sessions * 4 % (:seats - 4) + :count
    JOIN session_seats s USING (session_id, session_seat_id)
    ORDER BY s.session_seat_id FOR UPDATE OF s
), hold AS (
    INSERT INTO holds (session_id, reservation_id, state, reserved_until, session_seat_ids)
    SELECT session_id, id, 'held', now() + interval '10 minutes', array_agg(session_seat_id) FROM picked GROUP BY session_id, id
    RETURNING session_id, reservation_id, reserved_until
), trail AS (
    INSERT INTO hold_history (session_id, reservation_id, to_state, revision, actor, reason)
    SELECT session_id, reservation_id, 'held', 1, 'user', 'hold' FROM hold
), taken AS (
    UPDATE session_seats s SET status = 'reserved', reservation_id = p.id
    FROM picked p WHERE s.session_id = p.session_id AND s.session_seat_id = p.session_seat_id
    RETURNING s.session_seat_id, s.price_minor, s.reservation_id
), reservation AS (
    INSERT INTO reservations (id, user_id, session_id, status, expiry_time, seats_count, total_minor, currency)
    SELECT reservation_id, gen_random_uuid(), session_id, 'active', reserved_until, :count, :count * 8000, 'EUR' FROM hold
), history AS (
    INSERT INTO reservation_history (reservation_id, revision, to_status, actor)
    SELECT reservation_id, 1, 'active', 'user' FROM hold
), items AS (
    INSERT INTO reservation_items (reservation_id, item_no, id, session_seat_id, row_number, seat_number, price_minor, final_minor)
    SELECT reservation_id, row_number() OVER (), time_ordered_id(), session_seat_id, '1', '1', price_minor, price_minor FROM taken
)
UPDATE session_versions v SET version = version + 1 FROM hold h WHERE v.session_id = h.session_id AND :bump = 1;
