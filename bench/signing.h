/* What a client of FAPI 2.0 signs: assertions of who it is (RFC 7523), and proofs of its key (RFC 9449). ES256. */
#include <stddef.h>

/* Makes a key in `file` (PEM), and prints its public half as a JWK. All of these return or hold 0 when it went well. */
int make_key(const char *file);
int read_key(const char *file);
void sign_assertion(char *out, size_t cap, const char *client_id, const char *issuer);
/* For a POST to `path` at the issuer, with a key that this process has made for itself. */
void sign_proof(char *out, size_t cap, const char *issuer, const char *path);
