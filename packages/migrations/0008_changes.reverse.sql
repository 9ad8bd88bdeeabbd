DROP FUNCTION
    packages_change_is_its_subscriptions,
    packages_waiting_is_its_subscriptions,
    packages_move_is_of_one_package,
    packages_announcement_is_its_subscriptions,
    packages_change_was_agreed_to,
    packages_announcement_replaced_if_it_came_back
CASCADE;
