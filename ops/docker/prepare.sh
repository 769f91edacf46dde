#!/bin/sh
# Makes what compose.yaml needs and no repository should hold: a password for Redis, a secret for the issuer's keys, a
# certificate for a try, and ops/nginx/nginx.conf with the names of the two nodes. Secrets that are there already stay.
set -eu

cd "$(dirname "$0")"

first='server 127.0.0.1:3000 '
second='# server 10.0.0.12:3000 '
for line in "$first" "$second"; do
  [ "$(grep -cF "$line" ../nginx/nginx.conf)" = 1 ] || { echo "ops/nginx/nginx.conf is not as expected" >&2; exit 1; }
done
sed -e "s/$first/server sluice-1:3000 /" -e "s/$second/server sluice-2:3000 /" ../nginx/nginx.conf >nginx.conf

mkdir -p secrets
# The containers' users must be able to read the files; the folder is for its owner alone.
chmod 0700 secrets
cd secrets

if [ ! -e redis-url ] || [ ! -e redis-users ]; then
  password="$(openssl rand -hex 32)"
  printf 'redis://sluice:%s@redis:6379\n' "$password" >redis-url
  {
    echo 'user default off'
    # Just the rights that docs/configuration.md names.
    printf 'user sluice on >%s ~sluice:* &sluice:* ' "$password"
    echo '+@read +@write +@pubsub +@connection +eval +evalsha +time +wait -@dangerous +info +cluster|slots +cluster|info'
  } >redis-users
fi

[ -e issuer-key-secret ] || openssl rand -base64 48 >issuer-key-secret

if [ ! -e tls-key.pem ] || [ ! -e tls-certificate.pem ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
    -keyout tls-key.pem -out tls-certificate.pem
fi

chmod 0444 ./*
