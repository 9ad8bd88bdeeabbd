DROP FUNCTION money_minor(numeric, text);
