import pytest
from celery import current_app
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

READY = dict.fromkeys(("database", "migrations", "cache", "broker"), "ok")


class TestLivez:
    def test_answers_without_asking_anything(self, client):
        # no database mark: a query would fail this test
        response = client.get("/livez")

        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        assert "no-store" in response.headers["Cache-Control"]

    def test_takes_no_posts(self, client):
        assert client.post("/livez").status_code == 405


@pytest.mark.django_db
class TestReadyz:
    def test_answers_strangers_when_everything_answers(self, client):
        response = client.get("/readyz")

        assert (response.status_code, response.json()) == (200, {"status": "ok", "checks": READY})
        assert "no-store" in response.headers["Cache-Control"]

    def test_names_what_is_missing_and_keeps_the_reason_to_the_log(self, client, monkeypatch):
        def refuse(*args, **kwargs):
            raise OperationalError("password=canary")

        with monkeypatch.context() as patch:
            patch.setattr(connection, "cursor", refuse)
            response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["status"] == "unavailable"
        assert response.json()["checks"]["database"] == "failed"
        assert response.json()["checks"]["cache"] == "ok"
        assert "canary" not in response.text

    def test_is_not_ready_before_every_migration(self, client):
        MigrationRecorder.Migration.objects.filter(app="reports").latest("name").delete()

        assert client.get("/readyz").json()["checks"] == READY | {"migrations": "failed"}

    def test_is_not_ready_without_a_cache(self, client, monkeypatch):
        monkeypatch.setattr(cache, "get", lambda key: None)

        assert client.get("/readyz").json()["checks"] == READY | {"cache": "failed"}

    def test_is_not_ready_without_a_broker(self, client, monkeypatch):
        nobody = current_app.connection_for_write("redis://127.0.0.1:1/0")
        monkeypatch.setattr(current_app, "connection_for_write", lambda: nobody)
        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"] == READY | {"broker": "failed"}
