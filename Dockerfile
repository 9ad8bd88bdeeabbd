# One image for every process of the portal; compose.yaml and docs/operations.md say which commands.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-pip-whl ca-certificates \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /srv/portal portal
WORKDIR /srv/portal
COPY .ci .ci
COPY requirements.txt .
# Real servers are used here: the wheels of PostgreSQL and Redis stay out.
RUN ENGINES=no .ci/setup runtime && rm -rf /root/.cache var
COPY . .
RUN mkdir -p var && chown portal: var
USER portal
ENV PATH=/srv/portal/.venv/bin:/usr/bin:/bin PYTHONUNBUFFERED=1
# Only files are collected; these addresses and this key open nothing.
RUN DATABASE_URL=postgres://none/none REDIS_URL=redis://none SECRET_KEY=collectstatic \
    python manage.py collectstatic --no-input --verbosity=0
EXPOSE 8000
CMD ["gunicorn", "crm_billing.wsgi", "--bind=0.0.0.0:8000", "--worker-class=gthread", \
     "--workers=2", "--threads=8", "--graceful-timeout=20", "--no-control-socket"]
