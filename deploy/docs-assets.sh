#!/bin/sh
# Puts Swagger UI's distribution where /docs looks for it (DOCS_DIR, default build/swagger-ui). From npm, pinned, no scripts
# of the package are run. Does nothing when the pinned version is there already; without npm or network it says what to do
# and succeeds, because the stack runs without these files.
set -eu

VERSION=5.35.0
FILES="swagger-ui.css swagger-ui-bundle.js favicon-16x16.png favicon-32x32.png LICENSE NOTICE"

cd "$(dirname "$0")/.."
target=${DOCS_DIR:-build/swagger-ui}

if [ "$(cat "$target/VERSION" 2>/dev/null)" = "$VERSION" ]; then
    echo "Swagger UI $VERSION is in $target already."
    exit 0
fi

later() {
    echo "$1" >&2
    echo "/docs will say so and link /openapi.json; run 'make docs-assets' again later." >&2
    exit 0
}

command -v npm >/dev/null 2>&1 || later \
"Swagger UI was not fetched: there is no npm on the PATH. It comes with Node.js (https://nodejs.org); Debian's own
package works too but brings some 400 others with it: apt-get install npm"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

echo "Fetching swagger-ui-dist $VERSION from npm"
(cd "$work" && npm pack --silent --ignore-scripts "swagger-ui-dist@$VERSION" >/dev/null) || later \
"Swagger UI was not fetched: npm could not download swagger-ui-dist@$VERSION."
tar -xzf "$work/swagger-ui-dist-$VERSION.tgz" -C "$work"

mkdir -p "$target"
rm -f "$target/VERSION"
for file in $FILES; do
    cp "$work/package/$file" "$target/$file"
    chmod 644 "$target/$file"
done
echo "$VERSION" > "$target/VERSION"
echo "Swagger UI $VERSION is in $target."
