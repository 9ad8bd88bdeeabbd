import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import cache

from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_seen_yet():
    cache.clear()


class TestSessionSeen:
    @pytest.fixture
    def session(self, client):
        client.force_login(UserFactory())
        client.get("/", headers={"User-Agent": "First browser"})
        return UserSession.objects.get()

    def test_notes_a_session_once_in_a_while(self, client, session):
        client.get("/", headers={"User-Agent": "First browser"})
        seen = session.last_seen_at
        session.refresh_from_db()
        assert session.last_seen_at == seen
        cache.clear()
        client.get("/", headers={"User-Agent": "First browser"})
        session.refresh_from_db()
        assert session.last_seen_at > seen

    def test_notes_another_browser_at_once(self, client, session):
        client.get("/", headers={"User-Agent": "Second browser"})
        session.refresh_from_db()
        assert session.user_agent == "Second browser"

    def test_shows_the_page_while_the_cache_is_away(self, client, session, settings):
        settings.CACHES = {
            "default": settings.CACHES["default"] | {"LOCATION": "unix:///nowhere/redis.sock"}
        }
        assert client.get("/", headers={"User-Agent": "Third browser"}).status_code == 302

    def test_leaves_strangers_alone(self, client):
        client.get("/")
        assert not UserSession.objects.exists()
