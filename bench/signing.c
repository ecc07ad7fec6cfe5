#include "signing.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HALF 32 /* bytes of a coordinate, and of each half of a signature */

static EVP_PKEY *client_key, *proof_key;
static char proof_header[512];

static void fatal(const char *what) {
    fprintf(stderr, "signing: %s failed\n", what);
    exit(2);
}

/* base64url without padding (RFC 7515 2) */
static size_t encode(char *out, const unsigned char *in, size_t n) {
    size_t length = EVP_EncodeBlock((unsigned char *)out, in, n);
    while (length && out[length - 1] == '=') length--;
    for (size_t i = 0; i < length; i++) out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    out[length] = 0;
    return length;
}

static void public_jwk(char *out, size_t cap, EVP_PKEY *key) {
    const char *names[2] = {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y};
    char text[2][64];
    for (int i = 0; i < 2; i++) {
        unsigned char raw[HALF];
        BIGNUM *number = NULL;
        if (!EVP_PKEY_get_bn_param(key, names[i], &number) || BN_bn2binpad(number, raw, HALF) != HALF) fatal("reading a key");
        BN_free(number);
        encode(text[i], raw, HALF);
    }
    snprintf(out, cap, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", text[0], text[1]);
}

/* a compact JWS (RFC 7515 7.1), whose ES256 signature is two numbers of a fixed length (RFC 7518 3.4) */
static void sign(char *out, size_t cap, EVP_PKEY *key, const char *header, const char *claims) {
    unsigned char der[128], raw[2 * HALF];
    size_t n = sizeof der;
    if (2 * (strlen(header) + strlen(claims)) + 128 > cap) fatal("finding room for a signature");
    size_t length = encode(out, (const unsigned char *)header, strlen(header));
    out[length++] = '.';
    length += encode(out + length, (const unsigned char *)claims, strlen(claims));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) ||
        !EVP_DigestSign(context, der, &n, (unsigned char *)out, length)) fatal("signing");
    EVP_MD_CTX_free(context);
    const unsigned char *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, n);
    if (!signature) fatal("reading a signature");
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, HALF);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + HALF, HALF);
    ECDSA_SIG_free(signature);
    out[length++] = '.';
    encode(out + length, raw, sizeof raw);
}

/* an identifier that no other assertion or proof has */
static void new_jti(char *out) {
    unsigned char raw[18];
    if (RAND_bytes(raw, sizeof raw) != 1) fatal("drawing a number");
    encode(out, raw, sizeof raw);
}

int make_key(const char *file) {
    char jwk[256];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *f = fopen(file, "w");
    if (!key || !f || !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)) fatal("writing a key");
    fclose(f);
    public_jwk(jwk, sizeof jwk, key);
    printf("%s\n", jwk);
    return 0;
}

int read_key(const char *file) {
    char jwk[256];
    FILE *f = fopen(file, "r");
    client_key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
    proof_key = EVP_EC_gen("P-256");
    if (!client_key || !proof_key) fatal("reading a key");
    fclose(f);
    public_jwk(jwk, sizeof jwk, proof_key);
    snprintf(proof_header, sizeof proof_header, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":%s}", jwk);
    return 0;
}

void sign_assertion(char *out, size_t cap, const char *client_id, const char *issuer) {
    char claims[1024], jti[32];
    long long now = time(NULL);
    new_jti(jti);
    snprintf(claims, sizeof claims,
             "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"jti\":\"%s\",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}",
             client_id, client_id, issuer, jti, now, now, now + 60);
    sign(out, cap, client_key, "{\"alg\":\"ES256\",\"kid\":\"bench-1\"}", claims);
}

void sign_proof(char *out, size_t cap, const char *issuer, const char *path) {
    char claims[1024], jti[32];
    new_jti(jti);
    snprintf(claims, sizeof claims, "{\"jti\":\"%s\",\"htm\":\"POST\",\"htu\":\"%s%s\",\"iat\":%lld}", jti, issuer, path,
             (long long)time(NULL));
    sign(out, cap, proof_key, proof_header, claims);
}
