/*
 * envelope/decode_dsn.c
 *		Data source names.  Pure.
 */
#include "envelope/dsn.h"

static ApmStr
slice(const char *start, const char *end)
{
	ApmStr		s;

	s.data = start;
	s.len = (uint32) (end - start);
	return s;
}

static const char *
find(const char *start, const char *end, char c)
{
	return start < end ? memchr(start, c, end - start) : NULL;
}

/* A positive decimal number up to max, nothing around it. */
static bool
number(const char *p, const char *end, int64 max, int32 *value)
{
	int64		n = 0;

	if (p == end)
		return false;
	for (; p < end; p++)
	{
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (*p - '0');
		if (n > max)
			return false;
	}
	*value = (int32) n;
	return n > 0;
}

/* No blanks, control characters or delimiters in a host or a key. */
static bool
plain(const char *p, const char *end)
{
	if (p == end)
		return false;
	for (; p < end; p++)
		if ((unsigned char) *p <= ' ' || *p == 0x7f || strchr("/@?#\\", *p) != NULL)
			return false;
	return true;
}

/* key[:secret] */
static bool
read_credentials(const char *p, const char *end, EnvelopeDsn *dsn)
{
	const char *colon = find(p, end, ':');
	const char *key_end = colon != NULL ? colon : end;
	const char *dot = find(p, key_end, '.');

	dsn->public_key = slice(p, dot != NULL ? dot : key_end);
	if (colon != NULL && colon + 1 < end)
		dsn->secret = slice(colon + 1, end);
	return plain(p, key_end) && dsn->public_key.len > 0;
}

/* host[:port], where the host may be an IPv6 address in brackets */
static bool
read_authority(const char *p, const char *end, EnvelopeDsn *dsn)
{
	const char *bracket = p < end && *p == '[' ? find(p, end, ']') : NULL;
	const char *colon = find(bracket != NULL ? bracket : p, end, ':');
	const char *host_end = colon != NULL ? colon : end;

	dsn->host = slice(p, host_end);
	if (!plain(p, host_end) || (bracket != NULL && bracket + 1 != host_end))
		return false;
	return colon == NULL || number(colon + 1, end, 65535, &dsn->port);
}

bool
envelope_parse_dsn(ApmStr text, EnvelopeDsn *dsn)
{
	const char *p = text.data;
	const char *end = text.data + text.len;
	const char *colon = find(p, end, ':');
	const char *at;
	const char *slash;
	const char *last;

	memset(dsn, 0, sizeof(*dsn));
	if (colon == NULL || end - colon < 3 || colon[1] != '/' || colon[2] != '/' || colon == p)
		return false;
	dsn->scheme = slice(p, colon);
	if (!((dsn->scheme.len == 4 && memcmp(p, "http", 4) == 0) ||
		  (dsn->scheme.len == 5 && memcmp(p, "https", 5) == 0)))
		return false;

	p = colon + 3;
	slash = find(p, end, '/');
	if (slash == NULL)
		return false;
	at = find(p, slash, '@');
	if (at == NULL || !read_credentials(p, at, dsn) ||
		!read_authority(at + 1, slash, dsn))
		return false;

	/* The project is the last segment of the path, whatever is before it. */
	if (end[-1] == '/' && end - 1 > slash)
		end--;
	for (last = end; last[-1] != '/'; last--)
		;
	if (!number(last, end, INT32_MAX, &dsn->project_id))
		return false;
	if (last - 1 > slash)
		dsn->path = slice(slash, last - 1);
	return true;
}
