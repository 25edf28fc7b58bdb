/*
 * sketch/glue.c
 *		The type apm.sketch: input, output, errors, views of data.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "utils/builtins.h"

#include "sketch/glue.h"

PG_FUNCTION_INFO_V1(apm_sketch_in);
PG_FUNCTION_INFO_V1(apm_sketch_out);
PG_FUNCTION_INFO_V1(apm_sketch_recv);
PG_FUNCTION_INFO_V1(apm_sketch_send);

/* An error, with its code where the bytes are malformed. */
static pg_attribute_noreturn() void
raise_status(SketchStatus status, int malformed_code)
{
	if (status == SKETCH_OVERFLOW)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("total weight of apm.sketch out of range"),
				 errdetail("A sketch holds a total weight of up to " UINT64_FORMAT ".",
						   SKETCH_MAX_UNITS)));
	if (status == SKETCH_FUTURE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("unsupported version of apm.sketch"),
				 errdetail("This server reads version %d.", SKETCH_VERSION),
				 errhint("The bytes come from a newer version of pg_apm.")));
	ereport(ERROR,
			(errcode(malformed_code),
			 errmsg("malformed apm.sketch"),
			 errdetail("The bytes are not those of any sketch.")));
}

void
sketch_raise(SketchStatus status)
{
	raise_status(status, ERRCODE_DATA_CORRUPTED);
}

/* The whole check, for bytes that come from outside. */
static void
check_input(const void *bytes, size_t len, int malformed_code)
{
	SketchStatus status = sketch_check(bytes, len);

	if (status != SKETCH_OK)
		raise_status(status, malformed_code);
}

/*
 * States reach us as they lie in memory, or out of a tuple of a sort or of a
 * parallel worker.  There a small one has got a short header, and any may be
 * less aligned than its counters need.
 */
static const SketchState *
working_form(struct varlena *datum)
{
	const SketchState *state = (const SketchState *) datum;

	if (VARATT_IS_1B(datum) || PointerGetDatum(datum) != MAXALIGN(datum))
	{
		Size		size = VARSIZE_ANY_EXHDR(datum) + VARHDRSZ;
		SketchState *copy = palloc(size);

		memcpy(VARDATA(copy), VARDATA_ANY(datum), size - VARHDRSZ);
		SET_VARSIZE(copy, size);
		state = copy;
	}
	if (!sketch_state_valid(state, VARSIZE(state)))
		sketch_raise(SKETCH_MALFORMED);
	return state;
}

void
sketch_view_datum(SketchView *view, Datum datum, bool working)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(datum);
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(value);

	if (working && VARSIZE_ANY_EXHDR(value) > 0 && bytes[0] == SKETCH_WORKING)
		sketch_view_state(view, working_form(value));
	else
		sketch_ok(sketch_view_bytes(view, bytes, VARSIZE_ANY_EXHDR(value)));
}

Datum
sketch_view_compact(const SketchView *view)
{
	size_t		len;
	uint8	   *datum = sketch_encode(view, VARHDRSZ, &len);

	if (datum == NULL)
		sketch_raise(SKETCH_MALFORMED);
	SET_VARSIZE(datum, len);
	return PointerGetDatum(datum);
}

Datum
sketch_datum_compact(const SketchState *state)
{
	SketchView	view;

	sketch_view_state(&view, state);
	return sketch_view_compact(&view);
}

SketchState *
sketch_arg_state(FunctionCallInfo fcinfo)
{
	SketchState *state;
	SketchView	view;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a transition function of apm.sketch was called outside an aggregate")));
	if (PG_ARGISNULL(0))
		return sketch_create();
	state = (SketchState *) PG_GETARG_POINTER(0);
	if (likely(VARATT_IS_4B_U(state) && state->form == SKETCH_WORKING))
		return state;
	sketch_view_datum(&view, PG_GETARG_DATUM(0), true);
	sketch_ok(sketch_from_view(&view, &state));
	return state;
}

/*
 * The bytes that leave the server: always compact.  Partial aggregation on
 * another node sends states through here, so working forms are welcome.
 */
static struct varlena *
compact_argument(FunctionCallInfo fcinfo)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
	SketchView	view;

	sketch_view_datum(&view, PointerGetDatum(value), true);
	if (view.state != NULL)
		value = (struct varlena *) DatumGetPointer(sketch_view_compact(&view));
	return value;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Text form: the compact form in hexadecimal digits. */
Datum
apm_sketch_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	size_t		digits = strlen(text);
	size_t		len = digits / 2;
	struct varlena *result;
	uint8	   *bytes;
	size_t		i;

	result = palloc(VARHDRSZ + len);
	SET_VARSIZE(result, VARHDRSZ + len);
	bytes = (uint8 *) VARDATA(result);
	for (i = 0; i < len; i++)
	{
		int			high = hex_digit(text[2 * i]);
		int			low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			break;
		bytes[i] = (uint8) (high << 4 | low);
	}
	if (len == 0 || i < len || digits % 2 != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type apm.sketch"),
				 errdetail("It takes an even number of hexadecimal digits, as its text form shows them.")));
	check_input(bytes, len, ERRCODE_INVALID_TEXT_REPRESENTATION);
	PG_RETURN_POINTER(result);
}

Datum
apm_sketch_out(PG_FUNCTION_ARGS)
{
	struct varlena *value = compact_argument(fcinfo);
	size_t		len = VARSIZE_ANY_EXHDR(value);
	char	   *text = palloc(2 * len + 1);

	text[hex_encode(VARDATA_ANY(value), len, text)] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
apm_sketch_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len = buf->len - buf->cursor;
	struct varlena *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	pq_copymsgbytes(buf, VARDATA(result), len);
	check_input(VARDATA(result), len, ERRCODE_INVALID_BINARY_REPRESENTATION);
	PG_RETURN_POINTER(result);
}

Datum
apm_sketch_send(PG_FUNCTION_ARGS)
{
	struct varlena *value = compact_argument(fcinfo);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
