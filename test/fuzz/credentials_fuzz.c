/*
 * credentials_fuzz.c
 *		Any bytes as header, query string and DSN; a key that is read is one.
 */
#include "envelope/credentials.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* Results belong to a memory context in the server; here nobody frees them. */
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
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
	return 0;
}
