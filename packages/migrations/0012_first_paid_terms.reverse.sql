DROP FUNCTION
    packages_trial_is_of_what_is_new,
    packages_has_had,
    packages_trial_goes_on_with_what_is_tried,
    packages_charge_has_what_is_paid_once
CASCADE;
