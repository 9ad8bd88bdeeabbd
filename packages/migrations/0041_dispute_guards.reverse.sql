DROP TRIGGER packages_dispute_one_at_a_time ON packages_dispute;
DROP FUNCTION packages_dispute_one_at_a_time();
DROP TRIGGER packages_dispute_append_only ON packages_dispute;
