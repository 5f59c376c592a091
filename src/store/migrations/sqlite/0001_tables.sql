-- Times are microseconds since the Unix epoch, UTC: datetime(at / 1000000, 'unixepoch') shows one.
-- (record, entry) is the position in the log of what a row was made from.

CREATE TABLE projection (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    record INTEGER NOT NULL,
    entry  INTEGER NOT NULL
);
INSERT INTO projection (id, record, entry) VALUES (1, 0, 0);

-- Every autonomous action, and one routing decision in a hundred.
CREATE TABLE autonomous_decisions (
    id            TEXT PRIMARY KEY,
    decision_type VARCHAR(64) NOT NULL,
    confidence    DOUBLE PRECISION NOT NULL,
    executed      BOOLEAN NOT NULL,
    model_version VARCHAR(32) NOT NULL,
    subject       TEXT NOT NULL,
    at            BIGINT NOT NULL,
    detail        TEXT NOT NULL,
    record        BIGINT NOT NULL,
    entry         BIGINT NOT NULL
);
CREATE INDEX autonomous_decisions_at ON autonomous_decisions (at);

CREATE TABLE anomaly_records (
    id                 TEXT PRIMARY KEY,
    anomaly_type       VARCHAR(64) NOT NULL,
    score              DOUBLE PRECISION NOT NULL,
    status             VARCHAR(32) NOT NULL,
    resolution_actions TEXT NOT NULL,
    slice              TEXT NOT NULL,
    severity           VARCHAR(32) NOT NULL,
    detected_at        BIGINT NOT NULL,
    resolved_at        BIGINT,
    sentence           TEXT NOT NULL,
    evidence           TEXT NOT NULL,
    record             BIGINT NOT NULL,
    entry              BIGINT NOT NULL
);
CREATE INDEX anomaly_records_detected_at ON anomaly_records (detected_at);

CREATE TABLE healing_actions (
    id               TEXT PRIMARY KEY,
    action_type      VARCHAR(64) NOT NULL,
    target_entity    VARCHAR(128) NOT NULL,
    status           VARCHAR(32) NOT NULL,
    recovery_time_ms BIGINT,
    proposed_at      BIGINT NOT NULL,
    decided_by       TEXT,
    version          BIGINT NOT NULL,
    detail           TEXT NOT NULL,
    record           BIGINT NOT NULL,
    entry            BIGINT NOT NULL
);
CREATE INDEX healing_actions_proposed_at ON healing_actions (proposed_at);

CREATE TABLE routing_decisions (
    record     BIGINT NOT NULL,
    entry      BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    profile    TEXT NOT NULL,
    payment    TEXT NOT NULL,
    attempt    BIGINT NOT NULL,
    chosen     TEXT NOT NULL,
    approach   TEXT NOT NULL,
    expected   DOUBLE PRECISION NOT NULL,
    confidence DOUBLE PRECISION NOT NULL,
    propensity DOUBLE PRECISION NOT NULL,
    detail     TEXT NOT NULL,
    PRIMARY KEY (record, entry)
) WITHOUT ROWID;
CREATE INDEX routing_decisions_at ON routing_decisions (at);
CREATE INDEX routing_decisions_payment ON routing_decisions (profile, payment);

CREATE TABLE payment_events (
    record        BIGINT NOT NULL,
    entry         BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    occurred_at   BIGINT NOT NULL,
    source        TEXT NOT NULL,
    event_id      TEXT,
    profile       TEXT NOT NULL,
    payment       TEXT NOT NULL,
    attempt       BIGINT,
    account       TEXT,
    kind          TEXT NOT NULL,
    decline_class TEXT,
    decline_code  TEXT,
    amount_minor  BIGINT,
    currency      TEXT,
    method        TEXT,
    network       TEXT,
    country       TEXT,
    bin           TEXT,
    latency_ms    BIGINT,
    PRIMARY KEY (record, entry)
) WITHOUT ROWID;
CREATE INDEX payment_events_at ON payment_events (at);
CREATE INDEX payment_events_payment ON payment_events (profile, payment);
