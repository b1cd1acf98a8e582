/* The reservation object of the API. */
#include "booking-svc/app/reservation_view.h"

static void write_item(struct tk_jsonw *w, const struct reservation_item *item)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "id", &item->id);
    tk_jsonw_uuid(w, "session_seat_id", &item->session_seat_id);
    tk_jsonw_text(w, "row_number", item->row_number);
    tk_jsonw_text(w, "seat_number", item->seat_number);
    tk_jsonw_money(w, "price", item->price_minor);
    tk_jsonw_money(w, "discount_amount", item->discount_minor);
    tk_jsonw_money(w, "final_price", item->final_minor);
    tk_jsonw_end_object(w);
}

void reservation_view_write(struct tk_jsonw *w, const char *key, const struct reservation *r)
{
    tk_jsonw_begin_object(w, key);
    tk_jsonw_uuid(w, "id", &r->id);
    tk_jsonw_uuid(w, "user_id", &r->user_id);
    tk_jsonw_uuid(w, "session_id", &r->session_id);
    tk_jsonw_time(w, "booking_time", r->booking_time_us);
    tk_jsonw_time(w, "expiry_time", r->expiry_time_us);
    tk_jsonw_i64(w, "seats_count", r->seats_count);
    tk_jsonw_money(w, "total_amount", r->total_minor);
    tk_jsonw_str(w, "status", reservation_status_name(reservation_visible_status(r)));
    tk_jsonw_begin_array(w, "items");
    for (size_t i = 0; i < r->item_count; i++)
        write_item(w, &r->items[i]);
    tk_jsonw_end_array(w);
    tk_jsonw_time(w, "created_at", r->created_at_us);
    tk_jsonw_time(w, "updated_at", r->updated_at_us);
    tk_jsonw_i64(w, "time_remaining_seconds", reservation_visible_remaining_s(r));
    tk_jsonw_end_object(w);
}
