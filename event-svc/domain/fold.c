/*
 * One message per reservation. A map from the reservation to its place in `picked`, plus one so that it is never NULL.
 */
#include "event-svc/domain/fold.h"

#include <stdint.h>

#include "shared/base/id.h"

size_t messages_fold(const struct tk_reservation_message *messages, size_t count, size_t *picked)
{
    struct tk_uuid_map places = {0};
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        uintptr_t place = (uintptr_t)tk_uuid_map_get(&places, &messages[i].reservation_id);
        if (place == 0) {
            picked[n++] = i;
            tk_uuid_map_put(&places, &messages[i].reservation_id, (void *)(uintptr_t)n);
        } else if (messages[i].revision > messages[picked[place - 1]].revision) {
            picked[place - 1] = i;
        }
    }
    tk_uuid_map_release(&places);
    return n;
}
