/*
 * A row's deadline lies after its insertion, so a scan may be trusted up to a moment ago, not up to now.
 */
#include "event-svc/domain/watermark.h"

int64_t watermark_after(const struct watermark_scan *scan)
{
    int64_t mark = scan->first_held_us != INT64_MAX ? scan->first_held_us : scan->last_us;
    if (mark > scan->settled_us)
        mark = scan->settled_us;
    return mark > scan->from_us ? mark : scan->from_us;
}
