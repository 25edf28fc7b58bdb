/*
 * scrub_test.c
 *		Secrets in JSON and in texts: what goes, what stays, and that every
 *		result of JSON is JSON.
 */
#include <jansson.h>

#include "store/normalize_scrub.h"

static int	failures = 0;

static ApmStr
str(const char *s)
{
	ApmStr		r;

	r.data = s;
	r.len = (uint32) strlen(s);
	return r;
}

static void
expect(const char *what, const char *in, ApmStr got, const char *want)
{
	if (got.data != NULL && got.len == strlen(want) && memcmp(got.data, want, got.len) == 0)
		return;
	printf("%s: %s gave %.*s, not %s\n", what, in, (int) got.len, got.data ? got.data : "", want);
	failures++;
}

/* out NULL: stays as it is */
typedef struct Case
{
	const char *in;
	const char *out;
} Case;

#define F "\"[Filtered]\""

static const Case json_cases[] = {
	{"{\"a\":1,\"b\":[true,null,\"x\"]}", NULL},
	{"{\"password\":\"hunter2\"}", "{\"password\":" F "}"},
	{"{ \"a\" : 1 , \"Password\" : \"x\" , \"b\" : 2 }", "{ \"a\" : 1 , \"Password\" : " F " , \"b\" : 2 }"},
	{"{\"user_passwd\":\"x\",\"mysql_pwd\":7,\"PGPASSWORD\":\"y\"}",
	"{\"user_passwd\":" F ",\"mysql_pwd\":" F ",\"PGPASSWORD\":" F "}"},
	{"{\"pass\\u0077ord\":\"x\"}", "{\"pass\\u0077ord\":" F "}"},
	{"{\"apiKey\":\"x\",\"api-key\":\"x\",\"API_KEY\":\"x\",\"x-api-key\":\"x\"}",
	"{\"apiKey\":" F ",\"api-key\":" F ",\"API_KEY\":" F ",\"x-api-key\":" F "}"},
	{"{\"Authorization\":\"Basic eDp5\",\"Cookie\":\"a=b\",\"X-CSRFToken\":\"z\",\"Set-Cookie\":[\"a\"]}",
	"{\"Authorization\":" F ",\"Cookie\":" F ",\"X-CSRFToken\":" F ",\"Set-Cookie\":" F "}"},
	{"{\"author\":\"Ann\",\"url.authority\":\"a.test\",\"authors\":[\"B\"]}", NULL},
	{"{\"oauth\":{\"id\":1},\"credentials\":[1],\"secret\":{},\"auth\":[]}",
	"{\"oauth\":" F ",\"credentials\":" F ",\"secret\":{},\"auth\":[]}"},
	{"{\"token\":true,\"secret\":null,\"password\":\"\",\"auth\":\"[Filtered]\"}", NULL},
	{"{\"gen_ai.usage.input_tokens\":12,\"tokens\":{\"value\":3},\"token\":4}",
	"{\"gen_ai.usage.input_tokens\":12,\"tokens\":{\"value\":3},\"token\":" F "}"},
	{"{\"tokens\":[\"a\"],\"refresh_tokens\":\"b\"}", "{\"tokens\":" F ",\"refresh_tokens\":" F "}"},
	{"{\"db_pass\":\"x\",\"dbPass\":\"x\",\"passenger\":\"x\",\"bypass\":\"x\",\"otp\":1,\"footprint\":1,\"PWD\":\"/x\"}",
	"{\"db_pass\":" F ",\"dbPass\":" F ",\"passenger\":\"x\",\"bypass\":\"x\",\"otp\":" F ",\"footprint\":1,\"PWD\":\"/x\"}"},
	{"{\"modules\":{\"cookie\":\"1.2\",\"jsonwebtoken\":\"9\"},\"x\":{\"modules\":{\"cookie\":\"1\"}}}",
	"{\"modules\":{\"cookie\":\"1.2\",\"jsonwebtoken\":\"9\"},\"x\":{\"modules\":{\"cookie\":" F "}}}"},
	{"{\"headers\":[[\"Accept\",\"x\"],[\"Authorization\",\"y\"],[\"token\",\"a\",\"b\"]]}",
	"{\"headers\":[[\"Accept\",\"x\"],[\"Authorization\"," F "],[\"token\",\"a\",\"b\"]]}"},
	{"[{\"key\":\"password\",\"value\":\"x\"},{\"name\":\"colour\",\"value\":\"red\"}]",
	"[{\"key\":\"password\",\"value\":" F "},{\"name\":\"colour\",\"value\":\"red\"}]"},
	{"{\"n\":4111111111111111,\"m\":4111111111111112,\"t\":1767571200.123456}",
	"{\"n\":" F ",\"m\":4111111111111112,\"t\":1767571200.123456}"},
	{"{\"span_id\":\"4111111111111111\",\"sentry.segment.id\":\"4111111111111111\",\"parent_span_id\":\"4111111111111111\"}", NULL},
	{"{\"span_id\":\"378282246310005\",\"id\":\"4111111111111111\",\"span\":{\"id\":\"4111111111111111\"},\"span_id_\":\"4111111111111111\"}",
	"{\"span_id\":" F ",\"id\":" F ",\"span\":{\"id\":" F "},\"span_id_\":" F "}"},
	{"{\"s\":\"caf\\u00e9 4111-1111-1111-1111 \\\"ok\\\"\"}",
	"{\"s\":\"caf\xc3\xa9 [Filtered] \\\"ok\\\"\"}"},
	{"{\"body\":\"{\\\"user\\\":\\\"ann\\\",\\\"password\\\":\\\"p\\\\\\\"w\\\",\\\"n\\\":1}\"}",
	"{\"body\":\"{\\\"user\\\":\\\"ann\\\",\\\"password\\\":\\\"[Filtered]\\\",\\\"n\\\":1}\"}"},
	{"\"-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----\"", F},
	{"{\"url\":\"postgres:\\/\\/u:p@db\\/x\"}", "{\"url\":\"postgres://[Filtered]@db/x\"}"},
};

static const Case text_cases[] = {
	{"nothing to see", NULL},
	{"paid with 4111 1111 1111 1111 12/30", "paid with [Filtered] 12/30"},
	{"5555555555554444,378282246310005", "[Filtered],[Filtered]"},
	{"6011000990139424 and 3566002020360505 and 30569309025904", "[Filtered] and [Filtered] and [Filtered]"},
	{"41111111111111111 x4111111111111111 4111111111111111x 4111111111111111.5", NULL},
	{"1767571200123456 2026-01-05 00:00:00 4111111111111112", NULL},
	{"id 12345678901234567890123456789012", NULL},
	{"a -----BEGIN PRIVATE KEY-----\nMII\nx\n-----END PRIVATE KEY----- b", "a [Filtered] b"},
	{"-----BEGIN EC PRIVATE KEY-----\ncut", "[Filtered]"},
	{"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", NULL},
	{"Authorization: Bearer abc.def-1, x", "Authorization: Bearer [Filtered], x"},
	{"bearer", NULL},
	{"forbearer x", NULL},
	{"got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!", "got [Filtered]!"},
	{"eyJust.kidding", NULL},
	{"GET https://ann:s3cret@shop.test/x?y=1", "GET https://[Filtered]@shop.test/x?y=1"},
	{"GET https://shop.test/x@y?mail=a@b", NULL},
	{"redis://:pw@cache:6379 amqp://u:p@ss@mq/", "redis://[Filtered]@cache:6379 amqp://[Filtered]@mq/"},
	{"/login?user=ann&password=hunter2&x=1#f", "/login?user=ann&password=[Filtered]&x=1#f"},
	{"access_token=abc", "access_token=[Filtered]"},
	{"host=db user=x password='a b' port=1", "host=db user=x password='[Filtered]' port=1"},
	{"UPDATE u SET password=$1, token=?, secret=%s, auth=:a", NULL},
	{"sort_by=author&tokens=5", NULL},
	{"{'api_key': 'x', \"secret\": 12, \"auth\": null}", "{'api_key': '[Filtered]', \"secret\": [Filtered], \"auth\": null}"},
	{"?password=[Filtered]", NULL},
	{"the password is wrong", NULL},
	{"10.1.2.3 ::1", NULL},
};

static const Case ip_cases[] = {
	{"from 10.1.2.3:80 to 255.255.255.255.", "from [Filtered]:80 to [Filtered]."},
	{"1.2.3.4.5 1.2.3.256 1.2.3 v1.2.3.4", NULL},
	{"::1 [2001:db8::ff00:42:8329]:443 2001:db8:0:0:0:0:0:1", "[Filtered] [[Filtered]]:443 [Filtered]"},
	{"::ffff:10.0.0.1 fe80::", "[Filtered] [Filtered]"},
	{"12:34:56 std::vector a::b::c 1:2:3:4:5:6:7:8:9", NULL},
	{"ip:10.0.0.1", "ip:[Filtered]"},
};

static const char *const wild[] = {"email", "x-*-id", "*colour*"};

static const Case key_cases[] = {
	{"{\"email\":\"a@b\",\"user.email\":\"a@b\",\"emails\":1,\"X-Cust-Id\":7,\"x-id\":1,\"my_COLOUR_x\":{\"a\":1}}",
	"{\"email\":" F ",\"user.email\":" F ",\"emails\":1,\"X-Cust-Id\":" F ",\"x-id\":1,\"my_COLOUR_x\":" F "}"},
};

static void
run_text(const char *what, const ScrubRules *rules, const Case *c, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
	{
		ApmStr		s = str(c[i].in);
		int64		found = scrub_text(rules, &s);

		expect(what, c[i].in, s, c[i].out ? c[i].out : c[i].in);
		if ((found > 0) != (c[i].out != NULL))
			printf("%s: %s counted %d\n", what, c[i].in, (int) found), failures++;
		if (scrub_text(rules, &s) != 0)
			printf("%s: %s is not stable\n", what, c[i].in), failures++;
	}
}

static void
run_json(const char *what, const ScrubRules *rules, const Case *c, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
	{
		ApmStr		s = str(c[i].in);
		int64		found = scrub_json(rules, &s);
		json_t	   *parsed;

		expect(what, c[i].in, s, c[i].out ? c[i].out : c[i].in);
		if ((found > 0) != (c[i].out != NULL))
			printf("%s: %s counted %d\n", what, c[i].in, (int) found), failures++;
		parsed = json_loadb(s.data, s.len, JSON_DECODE_ANY, NULL);
		if (parsed == NULL)
			printf("%s: %s gave no JSON\n", what, c[i].in), failures++;
		json_decref(parsed);
		if (scrub_json(rules, &s) != 0)
			printf("%s: %s is not stable\n", what, c[i].in), failures++;
	}
}

static bool
no_dogs(void *arg, ApmStr text, ApmStr *result)
{
	(*(int *) arg)++;
	if (text.len != 3 || memcmp(text.data, "dog", 3) != 0)
		return false;
	*result = str("cat");
	return true;
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
	ScrubRules	rules = {SCRUB_DEFAULT, NULL, 0, NULL, NULL};
	ApmStr		keys[lengthof(wild)];
	ApmStr		s;
	size_t		i;
	int			calls = 0;

	run_json("json", &rules, json_cases, lengthof(json_cases));
	run_text("text", &rules, text_cases, lengthof(text_cases));
	rules.builtin = SCRUB_IP;
	run_text("ip", &rules, ip_cases, lengthof(ip_cases));
	rules.builtin = 0;
	for (i = 0; i < lengthof(json_cases); i++)
	{
		s = str(json_cases[i].in);
		if (scrub_json(&rules, &s) != 0)
			printf("off: %s was changed\n", json_cases[i].in), failures++;
	}
	for (i = 0; i < lengthof(wild); i++)
		keys[i] = str(wild[i]);
	rules.keys = keys;
	rules.nkeys = lengthof(wild);
	run_json("keys", &rules, key_cases, lengthof(key_cases));

	rules.nkeys = 0;
	rules.pattern = no_dogs;
	rules.arg = &calls;
	s = str("{\"dog\":[\"dog\",\"bird\",7]}");
	if (scrub_json(&rules, &s) != 1 || calls != 2)
		printf("pattern: %d calls\n", calls), failures++;
	expect("pattern", "dog", s, "{\"dog\":[\"cat\",\"bird\",7]}");

	/* What cannot be read cannot be kept. */
	rules.builtin = SCRUB_DEFAULT;
	s = str("{\"password\":");
	if (scrub_json(&rules, &s) != 1 || s.data != NULL)
		printf("broken JSON was kept\n"), failures++;
	printf("scrub: %d failures\n", failures);
	return failures != 0;
}
