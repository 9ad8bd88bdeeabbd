DROP FUNCTION
    packages_dispute_one_at_a_time
CASCADE;
