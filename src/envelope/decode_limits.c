/*
 * envelope/decode_limits.c
 *		Limits of sizes and counts, which hold before anything is read.  Pure.
 */
#include "envelope/decode.h"

/* The limit of the current item's size by its type. */
static int32
size_limit(const Decoder *d, bool container)
{
	const ApmDecodeOptions *options = d->options;
	const JsonString *type = &d->item.type;

	if (KEY_IS(type, "span"))
		return container ? options->max_container_size : options->max_span_size;
	if (KEY_IS(type, "transaction") || KEY_IS(type, "event") || KEY_IS(type, "feedback") ||
		KEY_IS(type, "user_report") || KEY_IS(type, "replay_event"))
		return options->max_event_size;
	if (KEY_IS(type, "log") || KEY_IS(type, "trace_metric"))
		return options->max_container_size;
	if (KEY_IS(type, "session") || KEY_IS(type, "sessions"))
		return options->max_session_size;
	if (KEY_IS(type, "check_in"))
		return options->max_check_in_size;
	if (KEY_IS(type, "client_report"))
		return options->max_client_report_size;
	if (KEY_IS(type, "profile") || KEY_IS(type, "profile_chunk") ||
		KEY_IS(type, "profile_chunk_ui"))
		return options->max_profile_size;
	return options->max_attachment_size;
}

/* False if the current item is larger, or one more of its kind, than allowed. */
bool
decode_within_limits(Decoder *d, bool container)
{
	const JsonString *type = &d->item.type;
	int32		limit = size_limit(d, container);
	int64		offset = decode_offset(d, d->item.payload);

	if (limit > 0 && d->item.length > (size_t) limit)
		return decode_reject(d, "too_large", "item is larger than the limit for its type", offset);
	if (KEY_IS(type, "span") && !container && d->options->max_standalone_spans > 0 &&
		++d->nspans > d->options->max_standalone_spans)
		return decode_reject(d, "too_many",
							 "envelope has more span items than pg_apm.max_standalone_spans",
							 offset);
	if ((KEY_IS(type, "session") || KEY_IS(type, "sessions")) && d->options->max_sessions > 0 &&
		++d->nsessions > d->options->max_sessions)
		return decode_reject(d, "too_many",
							 "envelope has more session items than pg_apm.max_sessions", offset);
	return true;
}

bool
decode_body_size(const ApmDecodeOptions *options, size_t len)
{
	return options->max_envelope_size <= 0 || len <= (size_t) options->max_envelope_size;
}
