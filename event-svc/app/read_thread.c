/*
 * One thread, one queue under a mutex, answers posted back to the loop.
 */
#include "event-svc/app/read_thread.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "shared/base/mem.h"

struct read_thread {
    struct tk_loop *loop;
    struct tk_pgs *pg;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct tk_link queue;
    bool stopping;
};

enum tk_step read_twice(struct tk_pgs *pg, struct tk_pg_op *op, void (*fill)(struct tk_pg_op *op, const void *arg),
                        const void *arg)
{
    enum tk_step step = TK_STEP_UNKNOWN;
    for (int attempt = 0; attempt < 2 && step == TK_STEP_UNKNOWN; attempt++) {
        if (attempt > 0)
            tk_pgs_release(op);
        tk_pg_op_init(op);
        fill(op, arg);
        step = tk_pgs_run(pg, op);
    }
    return step;
}

/* The next job; NULL when the thread is to end. */
static struct read_job *take_job(struct read_thread *thread)
{
    pthread_mutex_lock(&thread->mutex);
    while (!thread->stopping && tk_list_is_empty(&thread->queue))
        pthread_cond_wait(&thread->wake, &thread->mutex);
    struct tk_link *link = thread->stopping ? NULL : tk_list_pop_front(&thread->queue);
    pthread_mutex_unlock(&thread->mutex);
    return link != NULL ? TK_CONTAINER_OF(link, struct read_job, link) : NULL;
}

static void on_done(void *arg)
{
    struct read_job *job = arg;
    job->done(job);
}

static void *run(void *arg)
{
    struct read_thread *thread = arg;
    struct read_job *job;
    while ((job = take_job(thread)) != NULL) {
        job->work(job, thread->pg);
        job->message.fn = on_done;
        job->message.arg = job;
        tk_loop_post(thread->loop, &job->message);
    }
    return NULL;
}

struct read_thread *read_thread_start(struct tk_loop *loop, const struct read_thread_config *config)
{
    struct read_thread *thread = tk_alloc(sizeof(*thread));
    const struct tk_pgs_config pg = {
        .name = config->name,
        .url = config->url,
        .timeout_ms = config->timeout_ms,
        .server_options = config->server_options,
        .statements = config->statements->items,
        .statement_count = config->statements->count,
    };
    thread->loop = loop;
    thread->pg = tk_pgs_new(&pg);
    tk_list_init(&thread->queue);
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_cond_init(&thread->wake, NULL);
    int rc = pthread_create(&thread->thread, NULL, run, thread);
    assert(rc == 0);
    (void)rc;
    return thread;
}

void read_thread_submit(struct read_thread *thread, struct read_job *job)
{
    pthread_mutex_lock(&thread->mutex);
    tk_list_push_back(&thread->queue, &job->link);
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->mutex);
}

void read_thread_stop(struct read_thread *thread)
{
    pthread_mutex_lock(&thread->mutex);
    thread->stopping = true;
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->mutex);
    pthread_join(thread->thread, NULL);
    tk_pgs_free(thread->pg);
    pthread_cond_destroy(&thread->wake);
    pthread_mutex_destroy(&thread->mutex);
    free(thread);
}
