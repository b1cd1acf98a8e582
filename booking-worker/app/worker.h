/**
 * The worker's object graph: every job with the connections of its own, wired from the settings.
 */
#ifndef BOOKING_WORKER_APP_WORKER_H
#define BOOKING_WORKER_APP_WORKER_H

#include "booking-worker/adapters/schedule.h"
#include "booking-worker/app/audit.h"
#include "booking-worker/app/expire_holds.h"
#include "booking-worker/app/fence.h"
#include "booking-worker/app/purge_old.h"
#include "booking-worker/app/relay_outbox.h"
#include "booking-worker/app/settle_payments.h"
#include "booking-worker/app/status_pages.h"
#include "booking-worker/app/sweep_orphans.h"
#include "booking-worker/config.h"

#define WORKER_JOBS  7
#define WORKER_PAGES 4

struct worker {
    struct health health;
    struct event_client event_svc;
    struct expire_holds expire;
    struct relay_outbox relay;
    struct sweep_orphans sweep;
    struct settle_payments settle;
    struct purge_old purge;
    struct audit audit;
    struct fence fence;
    struct fenced_job fenced[WORKER_JOBS];
    struct scheduled_job jobs[WORKER_JOBS];
    struct schedule schedule;
    struct status_pages pages;
    struct status_page page_table[WORKER_PAGES];
};

/** Registers all metrics; once, before threads start. */
void worker_register_metrics(void);

/** Builds everything; nothing connects yet. `config` must outlive the worker. TK_ERR_INVALID: a URL makes no sense. */
TK_MUSTCHECK enum tk_err worker_init(struct worker *worker, const struct worker_config *config);

/** After the schedule has ended with all jobs idle: a last relay pass, then everything is closed. */
void worker_release(struct worker *worker);

#endif
