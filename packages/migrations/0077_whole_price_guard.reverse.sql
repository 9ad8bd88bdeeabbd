DROP TRIGGER packages_price_lacks_nothing ON packages_priceversion;
DROP FUNCTION packages_price_lacks_nothing();
