DROP FUNCTION
    packages_dunningpolicy_changes_no_way_begun,
    packages_dunningpolicy_is_a_way
CASCADE;
