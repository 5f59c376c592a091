-- An event may stand in the log more than once: repeats that came close together, to two replicas, or again after a
-- crash. The engine counts it once, and here it has one row: the first.

DELETE FROM payment_events
WHERE (record, entry) IN (
    SELECT record, entry
    FROM (
        SELECT record, entry, ROW_NUMBER() OVER (PARTITION BY profile, event_id ORDER BY record, entry) AS place
        FROM payment_events
        WHERE event_id IS NOT NULL
    ) AS numbered
    WHERE place > 1
);
CREATE UNIQUE INDEX payment_events_event ON payment_events (profile, event_id);
