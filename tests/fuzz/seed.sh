#!/bin/sh
# Makes the seeds of every target from the fixtures: tests/fuzz/corpus/TARGET.
set -eu
export LC_ALL=C
cd "$(dirname "$0")"
for target in reply socket json gzip redirect usage; do
    mkdir -p "corpus/$target"
done

for fixture in ../../fixtures/*/*.http; do
    name=$(echo "$fixture" | sed 's|.*/fixtures/||; s|/|-|; s|\.http$||')
    # The reply stands behind the first empty line.
    sed '1,/^$/d' "$fixture" > corpus/reply.tmp
    # For reply and socket the first byte chooses the call.
    for call in a b c d e f g h i j k; do
        { printf %s $call; cat corpus/reply.tmp; } > "corpus/reply/$name-$call"
    done
    for call in a b c d; do
        { printf %s $call; cat corpus/reply.tmp; } > "corpus/socket/$name-$call"
    done
    # The body stands behind the reply's own, which ends in CR LF.
    sed "1,/^$(printf '\r')\{0,1\}\$/d" corpus/reply.tmp > "corpus/json/$name"
    # The first byte chooses the size of the pieces.
    { printf x; gzip -c "corpus/json/$name"; } > "corpus/gzip/$name"
    # The same reply, compressed.
    {
        printf 'aHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n'
        gzip -c "corpus/json/$name"
    } | tee "corpus/reply/$name-gzip" > "corpus/socket/$name-gzip"
    app=$(tr -d '\r' < corpus/reply.tmp | sed -n 's/^X-App-Usage: //p')
    business=$(tr -d '\r' < corpus/reply.tmp | sed -n 's/^X-Business-Use-Case-Usage: //p')
    if [ "$app$business" ]; then
        printf '%s\n%s' "$app" "$business" > "corpus/usage/$name"
    fi
done
rm corpus/reply.tmp

# A feed of several replies, a redirect, and bodies that end badly.
feed() {
    printf %s "$1"
    first=yes
    for page in ../../fixtures/feed/page-[123].http; do
        [ $first ] || printf '\036'
        first=
        sed '1,/^$/d' "$page"
    done
}
feed b > corpus/reply/feed-b
feed d > corpus/reply/feed-d
printf 'aHTTP/1.1 302 Found\nLocation: /v25.0/me?x\n\n\036HTTP/1.1 200 slow\n\n{"id":"1"}' > corpus/reply/redirect-a
printf 'jHTTP/1.1 302 Found\nLocation: https://other.example:8443/b?c\n\n\036HTTP/1.1 200 OK\nContent-Length: 4\n\nfile' > corpus/reply/redirect-j
printf 'kHTTP/1.1 206 eof\nContent-Range: bytes 5-9/10\nContent-Length: 5\n\nrest.' > corpus/reply/rest-k
printf 'aHTTP/1.1 200 reset\n\n{"id":' > corpus/reply/reset-a
printf 'aHTTP/1.1 503 Gone\nRetry-After: 3\n\nsorry\036HTTP/1.1 200 OK\n\n{"id":1}' > corpus/reply/retry-a
for call in a b c d; do
    printf '%sHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n5;x\r\n:"1"}\r\n0\r\nTrailer: x\r\n\r\n' $call > "corpus/socket/chunked-$call"
    printf '%sHTTP/1.0 302 Found\nLocation: /x\n\n' $call > "corpus/socket/redirect-$call"
done

printf 's\nhttps://example.com/auth?code=AQB%%2Dx&state=s#_' > corpus/redirect/plain
printf 'a b\nhttps://example.com/auth?x=1&code=AQBx&state=a+b#_' > corpus/redirect/state
printf '\n?error=access_denied&error_reason=user_denied&error_description=The+user+denied+your+request' > corpus/redirect/refused
printf 's\nstate=s&code=AQB%%23_' > corpus/redirect/query
printf '{"call_count":28,"total_time":25,"total_cputime":25}\n{"17841405793187218":[{"type":"instagram","call_count":100,"total_cputime":25,"total_time":25,"estimated_time_to_regain_access":19}]}' > corpus/usage/both
