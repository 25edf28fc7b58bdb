/*
 * store/normalize.c
 *		Categories, URLs, commands, files and transaction names without their
 *		variable parts.  Pure.
 */
#include "store/normalize.h"

void
normalize_buffer_init(NormalizeBuffer *b, size_t expected)
{
	b->max = Max(expected, 32);
	b->len = 0;
	b->data = palloc(b->max);
}

void
normalize_append(NormalizeBuffer *b, const char *s, size_t len)
{
	if (b->len + len > b->max)
	{
		b->max = (b->len + len) * 2;
		b->data = repalloc(b->data, b->max);
	}
	memcpy(b->data + b->len, s, len);
	b->len += len;
}

ApmStr
normalize_buffer_str(const NormalizeBuffer *b)
{
	ApmStr		s;

	s.data = b->data;
	s.len = (uint32) b->len;
	return s;
}

static ApmStr
str_of(const char *s, size_t len)
{
	ApmStr		r;

	r.data = s;
	r.len = (uint32) len;
	return r;
}

static const ApmStr no_str = {NULL, 0};

static bool
str_is(ApmStr s, const char *literal)
{
	return s.data != NULL && s.len == strlen(literal) && memcmp(s.data, literal, s.len) == 0;
}

static bool
str_starts(ApmStr s, const char *prefix)
{
	size_t		len = strlen(prefix);

	return s.data != NULL && s.len >= len && memcmp(s.data, prefix, len) == 0;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool
is_alnum(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* First position of c in s, or its length. */
static size_t
str_find(ApmStr s, char c)
{
	const char *p = s.len ? memchr(s.data, c, s.len) : NULL;

	return p ? (size_t) (p - s.data) : s.len;
}

ApmStr
normalize_category(ApmStr op)
{
	static const char *const two[] = {
		"ui.react", "ui.vue", "ui.svelte", "ui.angular", "ui.ember", "ai.pipeline",
		"function.nextjs", "function.remix", "function.gpc", "function.aws", "function.azure"
	};
	static const char *const one[] = {
		"ai", "app", "browser", "cache", "console", "db", "event", "file", "graphql", "grpc",
		"http", "measure", "middleware", "navigation", "pageload", "queue", "resource", "rpc",
		"serialize", "subprocess", "template", "topic", "view", "websocket", "ui", "function"
	};
	size_t		dot;
	size_t		i;

	if (op.data == NULL)
		return no_str;
	dot = str_find(op, '.');
	if (dot < op.len)
	{
		size_t		second = dot + 1 + str_find(str_of(op.data + dot + 1, op.len - dot - 1), '.');

		for (i = 0; i < lengthof(two); i++)
			if (str_is(str_of(op.data, second), two[i]))
				return str_of(two[i], strlen(two[i]));
	}
	for (i = 0; i < lengthof(one); i++)
		if (str_is(str_of(op.data, dot), one[i]))
			return str_of(one[i], strlen(one[i]));
	return no_str;
}

/* URLs. */

static bool
host_is_ipv4(ApmStr host)
{
	int			dots = 0;
	uint32		i;

	for (i = 0; i < host.len; i++)
	{
		if (host.data[i] == '.')
			dots++;
		else if (!is_digit(host.data[i]))
			return false;
	}
	return dots == 3;
}

/* Second-level labels under which registries hand out domains: co.uk, com.br. */
static bool
label_is_registry(ApmStr label)
{
	static const char *const labels[] = {"co", "com", "org", "net", "gov", "edu", "ac", "or", "ne"};
	size_t		i;

	for (i = 0; i < lengthof(labels); i++)
		if (str_is(label, labels[i]))
			return true;
	return false;
}

/* my.domain.com is *.domain.com; localhost stays; addresses are *.*.*.* */
static void
append_host(NormalizeBuffer *out, ApmStr host)
{
	ApmStr		name = str_of(host.data, str_find(host, ':'));
	uint32		i;
	uint32		dots[3];
	int			n = 0;
	uint32		keep;

	if (host.len > 0 && host.data[0] == '[')
	{
		normalize_append(out, "*", 1);
		return;
	}
	if (host_is_ipv4(name))
	{
		if (str_is(name, "127.0.0.1"))
			normalize_append(out, host.data, host.len);
		else
			normalize_append(out, "*.*.*.*", 7);
		return;
	}
	for (i = name.len; i > 0 && n < 3; i--)
		if (name.data[i - 1] == '.')
			dots[n++] = i - 1;
	/* dots[0] is the last dot: "domain.com" lies behind dots[1]. */
	if (n >= 2 && name.len - dots[0] - 1 == 2 &&
		label_is_registry(str_of(name.data + dots[1] + 1, dots[0] - dots[1] - 1)))
		keep = n >= 3 ? dots[2] + 1 : 0;
	else
		keep = n >= 2 ? dots[1] + 1 : 0;
	if (keep > 0)
		normalize_append(out, "*.", 2);
	normalize_append(out, host.data + keep, host.len - keep);
}

/* Splits scheme://user@host:port/path; false if there is no scheme and host. */
static bool
split_url(ApmStr url, ApmStr *scheme, ApmStr *host, ApmStr *path)
{
	size_t		colon = str_find(url, ':');
	size_t		i;
	ApmStr		rest;

	if (colon == 0 || colon + 3 > url.len || memcmp(url.data + colon, "://", 3) != 0)
		return false;
	for (i = 0; i < colon; i++)
		if (!is_alnum(url.data[i]) && strchr("+-.", url.data[i]) == NULL)
			return false;
	*scheme = str_of(url.data, colon);
	rest = str_of(url.data + colon + 3, url.len - colon - 3);
	for (i = 0; i < rest.len && rest.data[i] != '/' && rest.data[i] != '?' && rest.data[i] != '#'; i++)
		;
	*host = str_of(rest.data, i);
	*path = str_of(rest.data + i, rest.len - i);
	i = str_find(*host, '@');
	if (i < host->len)
		*host = str_of(host->data + i + 1, host->len - i - 1);
	return host->len > 0;
}

ApmStr
normalize_http(ApmStr description)
{
	NormalizeBuffer out;
	size_t		blank = str_find(description, ' ');
	ApmStr		url;
	ApmStr		scheme;
	ApmStr		host;
	ApmStr		path;

	if (blank == description.len || blank == 0)
		return no_str;
	normalize_buffer_init(&out, description.len + 8);
	normalize_append(&out, description.data, blank + 1);
	url = str_of(description.data + blank + 1, description.len - blank - 1);
	if (str_starts(url, "data:image/"))
		normalize_append(&out, "data:image/*", 12);
	else if (!split_url(url, &scheme, &host, &path))
		normalize_append(&out, "*", 1);
	else
	{
		normalize_append(&out, scheme.data, scheme.len);
		normalize_append(&out, "://", 3);
		append_host(&out, host);
	}
	return normalize_buffer_str(&out);
}

ApmStr
normalize_redis(ApmStr description)
{
	NormalizeBuffer out;
	size_t		blank = str_find(description, ' ');
	size_t		i;

	if (description.len == 0)
		return no_str;
	for (i = 0; i < blank; i++)
		if (!is_alnum(description.data[i]) && description.data[i] != '_' && description.data[i] != '.')
			return str_of("*", 1);
	normalize_buffer_init(&out, blank + 2);
	normalize_append(&out, description.data, blank);
	if (blank < description.len)
		normalize_append(&out, " *", 2);
	return normalize_buffer_str(&out);
}

/* Does a path segment look like an id or a build's hash? */
static bool
segment_varies(ApmStr s)
{
	uint32		hex = 0;
	uint32		digits = 0;
	uint32		i;

	if (s.len > 25)
		return true;
	for (i = 0; i < s.len; i++)
	{
		hex += is_hex(s.data[i]);
		digits += is_digit(s.data[i]);
	}
	return (hex == s.len && s.len >= 6 && digits > 0) || (digits > 0 && digits == s.len);
}

/* File name with the parts between dots and dashes that look like hashes starred. */
static void
append_file(NormalizeBuffer *out, ApmStr file)
{
	uint32		begin = 0;
	uint32		i;

	for (i = 0; i <= file.len; i++)
	{
		if (i < file.len && file.data[i] != '.' && file.data[i] != '-' && file.data[i] != '_')
			continue;
		if (segment_varies(str_of(file.data + begin, i - begin)))
			normalize_append(out, "*", 1);
		else
			normalize_append(out, file.data + begin, i - begin);
		if (i < file.len)
			normalize_append(out, file.data + i, 1);
		begin = i + 1;
	}
}

static bool
segment_is_known(ApmStr s)
{
	static const char *const known[] = {
		"static", "_static", "assets", "chunks", "_next", "js", "css", "img", "images", "fonts",
		"media", "dist", "build", "public", "vendor", "node_modules"
	};
	size_t		i;

	for (i = 0; i < lengthof(known); i++)
		if (str_is(s, known[i]))
			return true;
	return false;
}

ApmStr
normalize_resource(ApmStr description)
{
	NormalizeBuffer out;
	ApmStr		scheme;
	ApmStr		host;
	ApmStr		path = description;
	uint32		begin = 0;
	uint32		i;
	bool		star = false;

	if (description.len == 0)
		return no_str;
	if (str_starts(description, "data:"))
		return str_of("data:*", 6);
	normalize_buffer_init(&out, description.len + 8);
	if (split_url(description, &scheme, &host, &path))
	{
		normalize_append(&out, scheme.data, scheme.len);
		normalize_append(&out, "://", 3);
		append_host(&out, host);
	}
	path.len = (uint32) Min(str_find(path, '?'), str_find(path, '#'));
	for (i = 0; i <= path.len; i++)
	{
		ApmStr		segment;

		if (i < path.len && path.data[i] != '/')
			continue;
		segment = str_of(path.data + begin, i - begin);
		if (i == path.len)
			append_file(&out, segment);
		else
		{
			if (segment.len == 0 || segment_is_known(segment))
			{
				normalize_append(&out, segment.data, segment.len);
				normalize_append(&out, "/", 1);
				star = false;
			}
			else if (!star)
			{
				normalize_append(&out, "*/", 2);
				star = true;
			}
		}
		begin = i + 1;
	}
	return normalize_buffer_str(&out);
}

ApmStr
normalize_file(ApmStr description)
{
	NormalizeBuffer out;
	uint32		i;

	for (i = description.len; i > 0; i--)
	{
		char		c = description.data[i - 1];

		if (c == '/' || c == '\\')
			break;
		if (c == '.' && i < description.len)
		{
			normalize_buffer_init(&out, description.len - i + 2);
			normalize_append(&out, "*.", 2);
			normalize_append(&out, description.data + i, description.len - i);
			return normalize_buffer_str(&out);
		}
	}
	return str_of("*", 1);
}

ApmStr
normalize_description(ApmStr op, ApmStr category, ApmStr description, ApmStr db_system)
{
	if (description.data == NULL || description.len == 0 || op.data == NULL)
		return no_str;
	if (str_is(category, "db"))
	{
		if (str_is(db_system, "redis") || str_starts(op, "db.redis"))
			return normalize_redis(description);
		if (str_is(db_system, "mongodb") || str_is(db_system, "clickhouse") ||
			str_is(db_system, "elasticsearch"))
			return no_str;
		return normalize_sql(description,
							 str_is(db_system, "mysql") || str_is(db_system, "mariadb"));
	}
	if (str_is(category, "http"))
		return normalize_http(description);
	if (str_is(category, "cache"))
		return normalize_redis(description);
	if (str_is(category, "resource"))
		return normalize_resource(description);
	if (str_is(category, "file"))
		return normalize_file(description);
	if (str_is(category, "app") || str_is(op, "ui.load"))
		return description;
	return no_str;
}

/* Transaction names. */

/* Length of a run of exactly n hex digits at p, not part of a longer one. */
static bool
hex_run(ApmStr s, uint32 at, uint32 n)
{
	uint32		i;

	if (at + n > s.len || (at > 0 && is_alnum(s.data[at - 1])))
		return false;
	for (i = at; i < at + n; i++)
		if (!is_hex(s.data[i]))
			return false;
	return at + n == s.len || !is_alnum(s.data[at + n]);
}

static bool
has_uuid(ApmStr s, uint32 at)
{
	static const uint32 lengths[] = {8, 4, 4, 4, 12};
	uint32		i;
	int			g;

	for (g = 0; g < 5; g++)
	{
		if (g > 0)
		{
			if (at >= s.len || s.data[at] != '-')
				return false;
			at++;
		}
		for (i = 0; i < lengths[g]; i++, at++)
			if (at >= s.len || !is_hex(s.data[at]))
				return false;
	}
	return true;
}

static bool
has_date(ApmStr s, uint32 at)
{
	static const char form[] = "dddd-dd-dd";
	uint32		i;

	for (i = 0; form[i]; i++)
		if (at + i >= s.len ||
			(form[i] == 'd' ? !is_digit(s.data[at + i]) : s.data[at + i] != form[i]))
			return false;
	return true;
}

/* Does a segment of a name hold something that differs from call to call? */
static bool
name_segment_varies(ApmStr s)
{
	uint32		i;
	uint32		digits = 0;

	for (i = 0; i < s.len; i++)
	{
		if (hex_run(s, i, 32) || hex_run(s, i, 40) || has_uuid(s, i) || has_date(s, i))
			return true;
		if (s.data[i] == '0' && i + 2 < s.len && s.data[i + 1] == 'x' && is_hex(s.data[i + 2]))
			return true;
		digits += is_digit(s.data[i]);
	}
	return digits == s.len && digits >= 2;
}

ApmStr
normalize_name(ApmStr name)
{
	NormalizeBuffer out;
	uint32		begin = 0;
	uint32		i;
	bool		changed = false;
	bool		substance = false;

	if (name.data == NULL || name.len == 0)
		return name;
	normalize_buffer_init(&out, name.len + 1);
	for (i = 0; i <= name.len; i++)
	{
		ApmStr		segment;

		if (i < name.len && name.data[i] != '/' && name.data[i] != '\\')
			continue;
		segment = str_of(name.data + begin, i - begin);
		if (name_segment_varies(segment))
		{
			normalize_append(&out, "*", 1);
			changed = true;
		}
		else
		{
			normalize_append(&out, segment.data, segment.len);
			substance = substance || segment.len > 0;
		}
		if (i < name.len)
			normalize_append(&out, name.data + i, 1);
		begin = i + 1;
	}
	if (!changed || (!substance && out.len <= 1))
		return name;
	return normalize_buffer_str(&out);
}
