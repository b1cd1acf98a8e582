/**
 * Outcomes. Two vocabularies, used everywhere and nowhere mixed:
 *
 *  - enum tk_err: why a function on this machine could not do its work. 0 is success, so `if (err)` reads naturally.
 *  - enum tk_step: what is known about an effect on *another* machine (Postgres, Redis, event-svc, the payment provider).
 *
 * Memory exhaustion is not an error code: tk_alloc() aborts, because no caller could do anything better.
 */
#ifndef TK_BASE_RESULT_H
#define TK_BASE_RESULT_H

/** The compiler refuses a call whose result is dropped. */
#define TK_MUSTCHECK         __attribute__((warn_unused_result))
#define TK_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum tk_err {
    TK_OK = 0,
    TK_ERR_INVALID,     /* the input is malformed or out of range */
    TK_ERR_LIMIT,       /* a configured maximum (bytes, items, queue) was reached; nothing was changed */
    TK_ERR_NOT_FOUND,   /* no such thing */
    TK_ERR_CONFLICT,    /* the thing exists but its state forbids this */
    TK_ERR_TIMEOUT,     /* the deadline passed */
    TK_ERR_UNAVAILABLE, /* a dependency is away; nothing was sent */
    TK_ERR_IO,          /* the system call or library failed; see the log line */
};

/** A word for the log, never NULL: "ok", "invalid", … */
const char *tk_err_name(enum tk_err err);

/**
 * What we know about a remote effect.
 * UNKNOWN is the one that matters: the request went out and no answer came, so the effect may have happened. Undo of an
 * UNKNOWN effect is idempotent and counts as done, except an UNKNOWN commit, which only the worker may settle.
 */
enum tk_step {
    TK_STEP_OK,      /* happened */
    TK_STEP_REFUSED, /* answered: did not happen, and will not if repeated now */
    TK_STEP_FAILED,  /* never sent: certainly did not happen */
    TK_STEP_UNKNOWN, /* sent, no answer in time: may have happened */
};

/** "ok", "refused", "failed", "unknown". */
const char *tk_step_name(enum tk_step step);

#endif
