/*
 * json_portable_test.c
 *		The reader without SSE2 against the reader as built: every byte at
 *		every place of strings and numbers of every length around the widths
 *		of the registers.
 *
 * The portable variant is compiled into this file under other names.
 */
#include "json/reader.h"

#undef __SSE2__
#define json_reader_init			portable_init
#define json_reader_peek			portable_peek
#define json_reader_enter_object	portable_enter_object
#define json_reader_enter_array		portable_enter_array
#define json_reader_next_key		portable_next_key
#define json_reader_next_element	portable_next_element
#define json_reader_string			portable_string
#define json_reader_number			portable_number
#define json_reader_bool			portable_bool
#define json_reader_null			portable_null
#define json_reader_scalar			portable_scalar
#define json_reader_skip			portable_skip
#define json_reader_capture			portable_capture
#define json_reader_finish			portable_finish
#define json_reader_offset			portable_offset
#define json_error_text				portable_error_text
#include "../../src/json/reader.c"
#undef json_reader_init
#undef json_reader_skip
#undef json_reader_finish
#undef json_reader_offset

static int	failures = 0;
static long ndocuments = 0;

static void
check(const char *text, size_t len)
{
	char	   *data = palloc(len);		/* ends where the text ends */
	JsonReader	built;
	JsonReader	portable;
	bool		built_ok;
	bool		portable_ok;

	memcpy(data, text, len);
	json_reader_init(&built, data, len, 8);
	portable_init(&portable, data, len, 8);
	built_ok = json_reader_skip(&built) && json_reader_finish(&built);
	portable_ok = portable_skip(&portable) && portable_finish(&portable);
	if (built_ok != portable_ok || built.error != portable.error || built.seen != portable.seen ||
		json_reader_offset(&built) != portable_offset(&portable))
	{
		failures++;
		printf("variants disagree about %.*s\n", (int) len, text);
	}
	ndocuments++;
	pfree(data);
}

int
main(void)
{
	char		text[64];
	int			len;
	int			at;
	int			byte;

	for (len = 1; len <= 35; len++)
	{
		for (at = 0; at < len; at++)
		{
			for (byte = 0; byte < 256; byte++)
			{
				/* A string with the byte in it, whole and without its end. */
				memset(text, 'a', sizeof(text));
				text[0] = '"';
				text[1 + at] = (char) byte;
				text[1 + len] = '"';
				check(text, len + 2);
				check(text, len + 1);

				/* A number likewise, in an array and bare. */
				memset(text, '7', sizeof(text));
				text[0] = '[';
				text[1 + at] = (char) byte;
				text[1 + len] = ']';
				check(text, len + 2);
				check(text + 1, len);
			}
		}
	}
	printf("json_portable: %ld documents, %d failures\n", ndocuments, failures);
	return failures > 0;
}
