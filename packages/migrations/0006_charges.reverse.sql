DROP FUNCTION
    packages_charge_is_its_entry,
    packages_notice_days,
    packages_charge_was_announced,
    packages_bill_is_its_periods,
    packages_bill_is_settled_in_full,
    packages_charge_of_use_was_billed,
    packages_overage_allows,
    packages_cap_of,
    packages_share_is_within_limits,
    packages_bill_is_its_shares,
    packages_pack_is_sold_and_paid,
    packages_charge_after_a_pause_was_announced
CASCADE;
