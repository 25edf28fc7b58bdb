/*
 * credentials_fuzz.c
 *		Any bytes as header, query string and DSN; a key that is read is one.
 */
#include "context.h"
#include "envelope/credentials.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(const uint8_t *data, size_t size)
{
	ApmStr		parts[3];
	Credentials credentials;
	size_t		i;
	int			n = 0;

	/* Parts end with a zero byte, or with the input. */
	memset(parts, 0, sizeof(parts));
	for (i = 0; i < size && n < 3; n++)
	{
		size_t		start = i;

		while (i < size && data[i] != 0)
			i++;
		parts[n].len = (uint32) (i - start);
		parts[n].data = memcpy(palloc(parts[n].len), data + start, parts[n].len);
		i++;
	}
	if (credentials_read(parts[0], parts[1], parts[2], &credentials) == NULL)
	{
		assert(credentials.public_key.len == 32);
		for (i = 0; i < 32; i++)
			assert(strchr("0123456789abcdef", credentials.public_key.data[i]) != NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	context_begin();
	run(data, size);
	context_end();
	return 0;
}
