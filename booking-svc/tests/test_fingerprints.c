/* Idempotency keys, request hashes, QR payloads and images, the mock's verdicts. */
#include <criterion/criterion.h>

#include "booking-svc/adapters/payment_provider.h"
#include "booking-svc/adapters/qr_image.h"
#include "booking-svc/domain/qr_payload.h"
#include "shared/idempotency/fingerprint.h"

#define SECRET TK_SLICE("a secret of some length")

/* --- idempotency --------------------------------------------------------------------------------------------------- */

Test(fingerprints, keys_are_visible_ascii)
{
    char longest[TK_IDEMPOTENCY_KEY_MAX + 2];
    memset(longest, 'k', sizeof(longest));
    cr_assert_eq(tk_idempotency_key_check(TK_SLICE("order-1")), TK_OK);
    cr_assert_eq(tk_idempotency_key_check((struct tk_slice){longest, TK_IDEMPOTENCY_KEY_MAX}), TK_OK);
    cr_assert_eq(tk_idempotency_key_check((struct tk_slice){longest, TK_IDEMPOTENCY_KEY_MAX + 1}), TK_ERR_INVALID);
    cr_assert_eq(tk_idempotency_key_check(TK_SLICE("")), TK_ERR_INVALID);
    cr_assert_eq(tk_idempotency_key_check(TK_SLICE("two words")), TK_ERR_INVALID);
    cr_assert_eq(tk_idempotency_key_check(TK_SLICE("caf\xc3\xa9")), TK_ERR_INVALID);
    cr_assert_eq(tk_idempotency_key_check(TK_SLICE("tab\t")), TK_ERR_INVALID);
}

Test(fingerprints, hash_covers_every_part_and_its_borders)
{
    static const struct {
        struct tk_slice method, path, body;
    } requests[] = {
        {TK_SLICE("POST"), TK_SLICE("/a"), TK_SLICE("{}")},  {TK_SLICE("POST"), TK_SLICE("/a"), TK_SLICE("{ }")},
        {TK_SLICE("POST"), TK_SLICE("/a{"), TK_SLICE("}")},  {TK_SLICE("POST"), TK_SLICE("/b"), TK_SLICE("{}")},
        {TK_SLICE("PATCH"), TK_SLICE("/a"), TK_SLICE("{}")}, {TK_SLICE("POST"), TK_SLICE("/a"), TK_SLICE("")},
    };
    char hashes[sizeof(requests) / sizeof(requests[0])][TK_REQUEST_HASH_LEN + 1];
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        char again[TK_REQUEST_HASH_LEN + 1];
        tk_request_hash(requests[i].method, requests[i].path, requests[i].body, hashes[i]);
        tk_request_hash(requests[i].method, requests[i].path, requests[i].body, again);
        cr_assert_str_eq(hashes[i], again);
        for (size_t k = 0; k < i; k++)
            cr_assert_str_neq(hashes[i], hashes[k]);
    }
}

Test(fingerprints, slots_tell_users_and_keys_apart)
{
    const struct tk_uuid ann = tk_uuid_v7();
    const struct tk_uuid bob = tk_uuid_v7();
    const struct tk_uuid slot = tk_idempotency_slot(&ann, TK_SLICE("k"));
    const struct tk_uuid same = tk_idempotency_slot(&ann, TK_SLICE("k"));
    const struct tk_uuid other_key = tk_idempotency_slot(&ann, TK_SLICE("l"));
    const struct tk_uuid other_user = tk_idempotency_slot(&bob, TK_SLICE("k"));
    cr_assert(tk_uuid_eq(&slot, &same));
    cr_assert_not(tk_uuid_eq(&slot, &other_key));
    cr_assert_not(tk_uuid_eq(&slot, &other_user));
}

/* --- QR ------------------------------------------------------------------------------------------------------------ */

Test(fingerprints, payload_verifies_only_as_it_was_signed)
{
    const struct tk_uuid ticket = tk_uuid_v7();
    struct tk_uuid read;
    char payload[QR_PAYLOAD_LEN + 1];
    qr_payload_make(&ticket, SECRET, payload);
    cr_assert_eq(strlen(payload), QR_PAYLOAD_LEN);
    cr_assert_eq(qr_payload_verify(tk_slice_of(payload), SECRET, &read), TK_OK);
    cr_assert(tk_uuid_eq(&read, &ticket));
    cr_assert_eq(qr_payload_verify(tk_slice_of(payload), TK_SLICE("another secret"), &read), TK_ERR_INVALID);
    /* The last character carries two unused bits: changing it may leave the code the same, so it is not in the loop. */
    for (size_t i = 0; i + 1 < QR_PAYLOAD_LEN; i++) {
        const char kept = payload[i];
        payload[i] = kept == 'a' ? 'b' : 'a';
        cr_assert_eq(qr_payload_verify(tk_slice_of(payload), SECRET, &read), TK_ERR_INVALID, "position %zu", i);
        payload[i] = kept;
    }
    cr_assert_eq(qr_payload_verify((struct tk_slice){payload, QR_PAYLOAD_LEN - 1}, SECRET, &read), TK_ERR_INVALID);
    cr_assert_eq(qr_payload_verify(TK_SLICE(""), SECRET, &read), TK_ERR_INVALID);
}

Test(fingerprints, known_answer)
{
    struct tk_uuid ticket;
    char payload[QR_PAYLOAD_LEN + 1];
    cr_assert_eq(tk_uuid_parse(TK_SLICE("01890a5d-ac96-774b-bcce-b302099a8057"), &ticket), TK_OK);
    /* printf %s 01890a5d-ac96-774b-bcce-b302099a8057 | openssl dgst -sha256 -hmac key -binary | basenc --base64url */
    cr_assert_str_eq(qr_payload_make(&ticket, TK_SLICE("key"), payload),
                     "01890a5d-ac96-774b-bcce-b302099a8057.oteUQNDzHvaKri-9ncZKPxJkA1vAVJNwvCjw6AOZnBU");
}

Test(fingerprints, image_is_a_small_png)
{
    struct tk_buf png = TK_BUF_INIT(QR_IMAGE_MAX_BYTES);
    char payload[QR_PAYLOAD_LEN + 1];
    const struct tk_uuid ticket = tk_uuid_v7();
    cr_assert_eq(qr_image_png(qr_payload_make(&ticket, SECRET, payload), &png), TK_OK);
    cr_assert_gt(png.len, 200);
    cr_assert_lt(png.len, 2000);
    cr_assert_arr_eq(png.ptr, "\x89PNG\r\n\x1a\n", 8);
    tk_buf_release(&png);
}

Test(fingerprints, image_reports_what_does_not_fit)
{
    struct tk_buf tiny = TK_BUF_INIT(64);
    cr_assert_eq(qr_image_png("payload", &tiny), TK_ERR_IO);
    tk_buf_release(&tiny);
}

/* --- the mock provider --------------------------------------------------------------------------------------------- */

static struct payment_charge charge_with(const char *payment_id)
{
    struct payment_charge charge = {.attempt_id = tk_uuid_v7(), .payment_id = tk_uuid_v7()};
    if (payment_id != NULL)
        cr_assert_eq(tk_uuid_parse(tk_slice_of(payment_id), &charge.payment_id), TK_OK);
    return charge;
}

Test(fingerprints, well_known_payments_ignore_the_rate)
{
    const struct payment_charge good = charge_with(MOCK_PAYMENT_ALWAYS_SUCCEEDS);
    const struct payment_charge bad = charge_with(MOCK_PAYMENT_ALWAYS_FAILS);
    cr_assert_eq(mock_payment_verdict(&good, 0.0), TK_STEP_OK);
    cr_assert_eq(mock_payment_verdict(&bad, 1.0), TK_STEP_REFUSED);
}

Test(fingerprints, verdicts_are_repeatable_and_follow_the_rate)
{
    enum { TRIES = 20000 };
    size_t paid = 0;
    for (size_t i = 0; i < TRIES; i++) {
        const struct payment_charge charge = charge_with(NULL);
        const enum tk_step verdict = mock_payment_verdict(&charge, 0.3);
        cr_assert_eq(verdict, mock_payment_verdict(&charge, 0.3));
        cr_assert_eq(mock_payment_verdict(&charge, 1.0), TK_STEP_OK);
        cr_assert_eq(mock_payment_verdict(&charge, 0.0), TK_STEP_REFUSED);
        paid += verdict == TK_STEP_OK;
    }
    cr_assert(paid > TRIES * 28 / 100 && paid < TRIES * 32 / 100, "%zu of %d", paid, TRIES);
}
