# shellcheck shell=bash
# shellcheck disable=SC2034 # the themes use what is set here
#
# An issuer of bearer tokens, made of openssl and coreutils: keys below WORK, and tokens signed with them.

TOKEN_ISSUER=https://id.example
TOKEN_AUDIENCE=ticketing
TOKEN_SECRET=integration-test-token-secret-0123456789

# What both services need besides keys to serve with AUTH_MODE=jwt.
JWT_MODE=(AUTH_MODE=jwt JWT_ISSUER="$TOKEN_ISSUER" JWT_AUDIENCE="$TOKEN_AUDIENCE" INTERNAL_API_KEY=inside-key-0123456789
    SECRET_KEY=integration-test-secret-key-0123456789)

b64url() {
    basenc --base64url -w 0 | tr -d =
}

# token_key NAME rsa|ec: leaves WORK/NAME.key and WORK/NAME.pem.
token_key() {
    case $2 in
    rsa) openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$WORK/$1.key" 2>/dev/null ||
        openssl genrsa -out "$WORK/$1.key" 2048 2>/dev/null ;;
    ec) openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/$1.key" ;;
    esac
    openssl pkey -in "$WORK/$1.key" -pubout -out "$WORK/$1.pem"
}

# token_jwk NAME: an RSA key as JWK with its name as kid.
token_jwk() {
    local modulus
    modulus=$(openssl pkey -pubin -in "$WORK/$1.pem" -noout -text_pub | sed -n '/Modulus/,/Exponent/p' | grep '^ ' | tr -d ' :\n')
    printf '{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "%s", "n": "%s", "e": "AQAB"}' "$1" \
        "$(printf '%s' "${modulus#00}" | tr '[:lower:]' '[:upper:]' | basenc --base16 -d | b64url)"
}

# The two integers of a DER signature, 32 bytes each, side by side.
token_raw_pair() { # DER FILE
    local number
    while read -r number; do
        printf '%064s' "$number" | tr ' ' 0
    done < <(openssl asn1parse -inform DER -in "$1" | sed -n 's/.*INTEGER *:\([0-9A-F]*\)$/\1/p') | basenc --base16 -d
}

token_signature() { # ALG KEY: of standard input
    case $1 in
    HS256) openssl dgst -sha256 -mac HMAC -macopt "key:$2" -binary | b64url ;;
    RS256) openssl dgst -sha256 -sign "$WORK/$2.key" | b64url ;;
    ES256)
        openssl dgst -sha256 -sign "$WORK/$2.key" -out "$WORK/signature.der"
        token_raw_pair "$WORK/signature.der" | b64url
        ;;
    esac
}

# token_sign ALG KEY HEADER CLAIMS → the token. KEY is a secret for HS256, a name given to token_key otherwise.
token_sign() {
    local text
    text=$(printf '%s' "$3" | b64url).$(printf '%s' "$4" | b64url)
    printf '%s.%s' "$text" "$(printf '%s' "$text" | token_signature "$1" "$2")"
}

# token_claims SUB [MORE MEMBERS]: good for an hour; MORE (`, "a": 1`) may repeat and so spoil what stands before.
token_claims() {
    jq -cn --arg iss "$TOKEN_ISSUER" --arg aud "$TOKEN_AUDIENCE" --arg sub "$1" --argjson exp $(($(date +%s) + 3600)) \
        --argjson more "{${2:-}}" '{iss: $iss, aud: $aud, sub: $sub, exp: $exp} + $more'
}

# token SUB [MORE MEMBERS] → an HS256 token of TOKEN_SECRET.
token() {
    token_sign HS256 "$TOKEN_SECRET" '{"alg": "HS256", "typ": "JWT"}' "$(token_claims "$@")"
}
