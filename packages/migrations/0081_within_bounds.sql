-- Calendars end earlier by some clocks than by others: a moment there can be shown to nobody who
-- goes by them, and what begins or ends then is never changed again. 2199 ends before by every clock.
ALTER TABLE packages_priceversion ADD CONSTRAINT packages_price_is_sold_within_the_calendar
CHECK (valid_from < '2200-01-02 00:00+00' AND valid_to < '2200-01-02 00:00+00');
ALTER TABLE packages_coupon ADD CONSTRAINT packages_coupon_is_given_within_the_calendar
CHECK (valid_from < '2200-01-02 00:00+00' AND valid_to < '2200-01-02 00:00+00');
ALTER TABLE packages_pricemove ADD CONSTRAINT packages_move_holds_within_the_calendar
CHECK (holds_from < '2200-01-02 00:00+00');
ALTER TABLE packages_dunningpolicy ADD CONSTRAINT packages_dunningpolicy_within_the_calendar
CHECK (valid_from < '2200-01-02 00:00+00');
-- Every step is told to every customer, in words; none is past the hundredth.
ALTER TABLE packages_pricecomponent ADD CONSTRAINT packages_component_has_few_tiers
CHECK (NOT jsonb_path_exists(tiers, '$[100]'));
