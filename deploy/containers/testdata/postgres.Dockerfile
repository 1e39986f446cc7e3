# postgres:17-bookworm, made of Debian 13's PostgreSQL 17. The numbers of its user
# are those of the real one.
FROM localhost/debian
COPY postgres.sh /usr/local/bin/docker-entrypoint.sh
RUN usermod --uid 999 postgres && groupmod --non-unique --gid 999 postgres \
    && mkdir -p /var/lib/postgresql/data && chown -R postgres:postgres /var/lib/postgresql \
    && sed -i "s/^#listen_addresses.*/listen_addresses = '*'/" /usr/share/postgresql/17/postgresql.conf.sample
ENV PGDATA=/var/lib/postgresql/data \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/17/bin
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
