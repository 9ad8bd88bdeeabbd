DROP TRIGGER packages_usage_sets_mark ON packages_usageevent;
DROP FUNCTION packages_usage_sets_mark();
