DROP FUNCTION
    packages_package_moves_on,
    packages_price_is_immutable,
    packages_part_of_a_draft,
    packages_price_lacks_nothing
CASCADE;
DROP TYPE packages_words CASCADE;
