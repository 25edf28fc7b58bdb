/*
 * normalize_test.c
 *		Descriptions and names without their variable parts: what each rule
 *		makes of its examples, and that no input, cut anywhere, harms it.
 */
#include "store/normalize.h"

static int	failures = 0;

static ApmStr
str(const char *s)
{
	ApmStr		r;

	r.data = s;
	r.len = s ? (uint32) strlen(s) : 0;
	return r;
}

static void
expect(const char *what, const char *in, ApmStr got, const char *want)
{
	if (want == NULL ? got.data == NULL :
		(got.data != NULL && got.len == strlen(want) && memcmp(got.data, want, got.len) == 0))
		return;
	printf("%s: \"%s\" gave \"%.*s\", not \"%s\"\n", what, in, (int) got.len,
		   got.data ? got.data : "", want ? want : "(null)");
	failures++;
}

typedef struct Case
{
	const char *in;
	const char *out;
} Case;

static const Case sql_cases[] = {
	{"SELECT * FROM orders WHERE user_id = $1 ORDER BY id DESC LIMIT 50",
	"SELECT * FROM orders WHERE user_id = %s ORDER BY id DESC LIMIT %s"},
	{"select  a\n\tfrom t -- comment\nwhere x=-5 /* and */ and y IS NULL",
	"select a from t where x = %s and y IS NULL"},
	{"SELECT \"t\".\"c\" FROM \"public\".\"t\"", "SELECT c FROM t"},
	{"SELECT a, b FROM t", "SELECT .. FROM t"},
	{"SELECT a, sum(b), c, d FROM x", "SELECT a, sum(b), .. FROM x"},
	{"SELECT a AS x, b AS y FROM t", "SELECT .. FROM t"},
	{"SELECT count(*) FROM t", "SELECT count(*) FROM t"},
	{"UPDATE t SET a = 1, b = 'z' WHERE id = ?", "UPDATE t SET .. WHERE id = %s"},
	{"UPDATE t SET a = 1 WHERE id = 2", "UPDATE t SET a = %s WHERE id = %s"},
	{"INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')", "INSERT INTO t (..) VALUES (%s)"},
	{"DELETE FROM t WHERE id IN (1,2,3)", "DELETE FROM t WHERE id IN (%s)"},
	{"DELETE FROM t WHERE id IN (SELECT id FROM u)", "DELETE FROM t WHERE id IN (SELECT id FROM u)"},
	{"SELECT '2020-01-01'::timestamp(3) with", "SELECT %s with"},
	{"SELECT x::numeric(10, 2)[] FROM t", "SELECT x FROM t"},
	{"SELECT 'it''s', E'a\\'b', $$x$$, $t$y$t$, 0x1F, 1.5e-3, true, :name, %(v)s, @p1",
	"SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s"},
	{"SAVEPOINT s1234_x5", "SAVEPOINT %s"},
	{"RELEASE SAVEPOINT s1234_x5", "RELEASE SAVEPOINT %s"},
	{"SELECT 'unterminated", "SELECT %s"},
	{"SELECT j->>'k' FROM t", "SELECT j ->> %s FROM t"},
	{"", ""},
};

static const Case mysql_cases[] = {
	{"SELECT * FROM `a`.`b` WHERE c = \"x\" # more", "SELECT * FROM b WHERE c = %s"},
};

static const Case http_cases[] = {
	{"GET http://api.shop.example/x/7?y=1", "GET http://*.shop.example"},
	{"POST https://shop.example:8443/", "POST https://shop.example:8443"},
	{"GET https://a.b.co.uk/x", "GET https://*.b.co.uk"},
	{"GET http://localhost:3000/", "GET http://localhost:3000"},
	{"GET http://127.0.0.1:9/x", "GET http://127.0.0.1:9"},
	{"GET http://10.1.2.3/", "GET http://*.*.*.*"},
	{"GET http://[::1]/", "GET http://*"},
	{"GET http://user:secret@api.shop.example/", "GET http://*.shop.example"},
	{"GET /relative", "GET *"},
	{"GET data:image/png;base64,xx", "GET data:image/*"},
	{"nonsense", NULL},
};

static const Case redis_cases[] = {
	{"GET user:17", "GET *"}, {"PING", "PING"}, {"user:17", "*"},
};

static const Case resource_cases[] = {
	{"https://cdn.shop.example/assets/app.3f2a91bc.js?v=2", "https://*.shop.example/assets/app.*.js"},
	{"/static/js/main-4f3a2b1c9d.chunk.js", "/static/js/main-*.chunk.js"},
	{"/media/foo/bar/pic.png", "/media/*/pic.png"},
	{"data:text/css,x", "data:*"},
};

static const Case file_cases[] = {
	{"/var/x/report.pdf", "*.pdf"}, {"C:\\x\\y.txt", "*.txt"}, {"noext", "*"}, {"dir.d/file", "*"},
};

static const Case name_cases[] = {
	{"/users/1234/orders", "/users/*/orders"},
	{"/u/1", "/u/1"},
	{"GET /x/4bf92f35-77b3-4da6-a3ce-929d0e0e4736/y", "GET /x/*/y"},
	{"/x/4bf92f3577b34da6a3ce929d0e0e4736", "/x/*"},
	{"/day/2026-01-05", "/day/*"},
	{"/v1/0xdeadbeef/", "/v1/*/"},
	{"42", "42"},
	{"/a/b", "/a/b"},
};

#define RUN(what, cases, call) \
	do { \
		size_t i; \
		for (i = 0; i < lengthof(cases); i++) \
			expect(what, cases[i].in, call, cases[i].out); \
	} while (0)

/* Every beginning of every example, and bytes of all kinds: memory checks do the rest. */
static void
cut_everywhere(void)
{
	uint32		seed = 12345;
	size_t		i;

	for (i = 0; i < lengthof(sql_cases); i++)
	{
		ApmStr		s = str(sql_cases[i].in);
		uint32		full = s.len;

		for (s.len = 0; s.len <= full; s.len++)
		{
			char	   *copy = palloc(s.len);
			ApmStr		exact;

			memcpy(copy, s.data, s.len);
			exact.data = copy;
			exact.len = s.len;
			normalize_sql(exact, i % 2 == 0);
			normalize_http(exact);
			normalize_resource(exact);
			normalize_file(exact);
			normalize_redis(exact);
			normalize_name(exact);
		}
	}
	for (i = 0; i < 20000; i++)
	{
		static const char alphabet[] = "aA1 '\"`$:@%?(),.;-+*/\\#=<>[]{}~|&_\xc3\xa9\nsetinvalues";
		char		bytes[40];
		ApmStr		s;
		uint32		j;

		for (j = 0; j < sizeof(bytes); j++)
		{
			seed = seed * 1664525 + 1013904223;
			bytes[j] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		s.data = bytes;
		s.len = (uint32) (i % sizeof(bytes));
		normalize_sql(s, i % 2 == 0);
		normalize_name(s);
		normalize_resource(s);
		normalize_http(s);
	}
}

const char *__asan_default_options(void);

/* Results belong to a memory context in the server; here nobody frees them. */
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

int
main(void)
{
	RUN("sql", sql_cases, normalize_sql(str(sql_cases[i].in), false));
	RUN("mysql", mysql_cases, normalize_sql(str(mysql_cases[i].in), true));
	RUN("http", http_cases, normalize_http(str(http_cases[i].in)));
	RUN("redis", redis_cases, normalize_redis(str(redis_cases[i].in)));
	RUN("resource", resource_cases, normalize_resource(str(resource_cases[i].in)));
	RUN("file", file_cases, normalize_file(str(file_cases[i].in)));
	RUN("name", name_cases, normalize_name(str(name_cases[i].in)));
	expect("category", "db.query", normalize_category(str("db.query")), "db");
	expect("category", "ui.react.render", normalize_category(str("ui.react.render")), "ui.react");
	expect("category", "mystery", normalize_category(str("mystery")), NULL);
	expect("category", "NULL", normalize_category(str(NULL)), NULL);
	expect("description", "redis", normalize_description(str("db.redis"), str("db"), str("GET k"), str(NULL)), "GET *");
	expect("description", "mongodb", normalize_description(str("db"), str("db"), str("{find}"), str("mongodb")), NULL);
	expect("description", "function", normalize_description(str("function"), str("function"), str("f"), str(NULL)), NULL);
	cut_everywhere();
	printf("normalize: %d failures\n", failures);
	return failures != 0;
}
