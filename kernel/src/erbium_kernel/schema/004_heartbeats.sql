-- The signs of life before the newest one, the latest first, each [sent_at, epoch, tx, position]. Why: on a busy log the newest counts a
-- moment after it has come; without the ones before it the sender would count as silent for that moment.
ALTER TABLE heartbeats ADD COLUMN earlier jsonb NOT NULL DEFAULT '[]';
