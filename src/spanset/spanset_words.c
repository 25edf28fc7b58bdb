/*
 * spanset/spanset_words.c
 *		Words that both sides of the packing know beforehand.  Pure: no
 *		server headers.
 *
 * Both lists belong to version 1 of the format: stored values refer to them
 * by number and by offset, so they never change.  A better list is another
 * version.
 */
#include "spanset/spanset_words.h"

#define W(s) {s, sizeof(s) - 1}

/*
 * Frequent values of op, category and origin: names that SDKs and the
 * semantic conventions of OpenTelemetry use.
 */
const ApmStr spanset_words[SPANSET_WORDS] = {
	W("db"), W("http"), W("cache"), W("queue"), W("resource"), W("ui"), W("browser"), W("app"),
	W("ai"), W("graphql"), W("grpc"), W("rpc"), W("file"), W("template"), W("view"), W("function"),
	W("default"), W("manual"), W("middleware"), W("handler"), W("task"), W("navigation"),
	W("pageload"), W("paint"), W("mark"), W("measure"), W("serialize"), W("subprocess"),
	W("websocket"), W("event"), W("console"), W("mobile"),
	W("http.server"), W("http.client"), W("http.client.stream"), W("db.query"), W("db.sql"),
	W("db.sql.query"), W("db.sql.execute"), W("db.sql.active_record"), W("db.sql.transaction"),
	W("db.redis"), W("db.mongodb"), W("db.transaction"), W("db.connection"), W("db.prisma"),
	W("cache.get"), W("cache.get_item"), W("cache.put"), W("cache.set"), W("cache.remove"),
	W("cache.flush"), W("queue.publish"), W("queue.process"), W("queue.submit"), W("queue.task"),
	W("queue.receive"), W("queue.create"), W("queue.settle"), W("middleware.express"),
	W("middleware.handle"), W("middleware.django"), W("middleware.nestjs"), W("middleware.starlette"),
	W("middleware.starlette.send"), W("middleware.starlette.receive"), W("middleware.laravel"),
	W("request_handler.express"), W("handler.nestjs"), W("router.express"), W("app_creation.nestjs"),
	W("request_context.nestjs"), W("template.render"), W("template.init"), W("view.render"),
	W("view.process"), W("view.response.render"), W("event.django"), W("function.server_action"),
	W("function.nextjs"), W("function.aws"), W("function.gcp"), W("websocket.server"), W("rpc.client"),
	W("rpc.server"), W("grpc.client"), W("grpc.server"), W("graphql.execute"), W("graphql.parse"),
	W("graphql.validate"), W("graphql.resolve"), W("subprocess.wait"), W("subprocess.communicate"),
	W("file.read"), W("file.write"), W("ui.load"), W("ui.render"), W("ui.action"), W("ui.action.click"),
	W("ui.long-task"), W("ui.long-animation-frame"), W("ui.long_task"), W("ui.long_animation_frame"),
	W("ui.interaction"), W("ui.interaction.click"), W("ui.interaction.press"), W("ui.interaction.hover"),
	W("ui.interaction.drag"), W("ui.webvital.lcp"), W("ui.webvital.cls"), W("ui.webvital.inp"),
	W("ui.react.render"), W("ui.react.mount"), W("ui.react.update"), W("ui.vue.render"),
	W("ui.vue.mount"), W("ui.vue.update"), W("ui.svelte.init"), W("ui.svelte.update"),
	W("ui.angular.init"), W("ui.ember.init"), W("ui.load.initial_display"), W("ui.load.full_display"),
	W("app.start.cold"), W("app.start.warm"), W("app.bootstrap"), W("browser.request"),
	W("browser.response"), W("browser.connect"), W("browser.cache"), W("browser.dns"), W("browser.DNS"),
	W("browser.TLS/SSL"), W("browser.redirect"), W("browser.paint"), W("browser.loadEvent"),
	W("browser.load_event"), W("browser.unloadEvent"), W("browser.unload_event"),
	W("browser.domContentLoadedEvent"), W("browser.dom_content_loaded_event"), W("resource.script"),
	W("resource.css"), W("resource.link"), W("resource.img"), W("resource.font"), W("resource.other"),
	W("resource.fetch"), W("resource.xhr"), W("resource.iframe"), W("resource.video"), W("resource.audio"),
	W("resource.beacon"), W("resource.track"), W("ai.pipeline"), W("ai.run"), W("ai.chat_completions"),
	W("ai.embeddings"), W("gen_ai.chat"), W("gen_ai.execute_tool"), W("gen_ai.invoke_agent"),
	W("gen_ai.create_agent"), W("gen_ai.handoff"), W("gen_ai.embeddings"), W("gen_ai.generate_content"),
	W("mcp.server"), W("mcp.client"), W("cron"), W("cron.job"), W("console.command"),
	W("auto"), W("auto.http"), W("auto.db"), W("auto.ui"), W("auto.function"), W("auto.middleware"),
	W("auto.http.http_server"), W("auto.http.server"), W("auto.http.client"), W("auto.http.browser"),
	W("auto.http.fetch"), W("auto.http.express"), W("auto.http.node_fetch"), W("auto.http.otel.http"),
	W("auto.http.otel.express"), W("auto.http.otel.node_fetch"), W("auto.http.otel.koa"),
	W("auto.http.otel.fastify"), W("auto.http.otel.hapi"), W("auto.http.otel.connect"),
	W("auto.http.otel.nestjs"), W("auto.http.stdlib.httplib"), W("auto.http.httpx"), W("auto.http.aiohttp"),
	W("auto.http.django"), W("auto.http.flask"), W("auto.http.fastapi"), W("auto.http.starlette"),
	W("auto.http.wsgi"), W("auto.http.asgi"), W("auto.http.rails"), W("auto.http.rack"),
	W("auto.http.okhttp"), W("auto.http.gin"), W("auto.http.nextjs"), W("auto.http.sveltekit"),
	W("auto.http.spring_jakarta.webmvc"), W("auto.db.otel.postgres"), W("auto.db.otel.mysql"),
	W("auto.db.otel.mysql2"), W("auto.db.otel.mongo"), W("auto.db.otel.mongoose"), W("auto.db.otel.redis"),
	W("auto.db.otel.prisma"), W("auto.db.otel.graphql"), W("auto.db.otel.knex"), W("auto.db.redis"),
	W("auto.db.django"), W("auto.db.sqlalchemy"), W("auto.db.supabase"), W("auto.db.rails"),
	W("auto.db.core.data"), W("auto.graphql.otel.graphql"), W("auto.queue.celery"), W("auto.queue.sidekiq"),
	W("auto.function.nextjs"), W("auto.function.serverless"), W("auto.navigation.browser"),
	W("auto.navigation.react.reactrouter_v6"), W("auto.navigation.vue"), W("auto.navigation.nextjs.app_router_instrumentation"),
	W("auto.pageload.browser"), W("auto.pageload.react.reactrouter_v6"), W("auto.pageload.vue"),
	W("auto.pageload.nextjs.app_router_instrumentation"), W("auto.resource.browser.metrics"),
	W("auto.ui.browser.metrics"), W("auto.ui.browser.lcp"), W("auto.ui.browser.cls"),
	W("auto.ui.browser.inp"), W("auto.browser.browser.metrics"), W("auto.ui.react"), W("auto.ui.vue"),
	W("auto.ui.time_to_display"), W("auto.ui.activity"), W("auto.log.stdlib")
};

/*
 * Text that the block of descriptions and attributes may refer to.  Pieces
 * stand as they do in JSON, so that a reference covers quotes and commas too.
 */
const char spanset_dictionary[] =
"\",\"db.system\":\"postgresql\",\"db.system.name\":\"mysql\",\"db.name\":\"\",\"db.namespace\":\"\",\"db.user\":\""
"\",\"db.operation\":\"SELECT\",\"db.operation.name\":\"INSERT\",\"db.query.text\":\"\",\"db.statement\":\""
"\",\"db.connection_string\":\"\",\"db.collection.name\":\"\",\"db.sql.table\":\"\",\"db.redis.connection\":\"redis"
"\",\"db.mongodb.collection\":\"mongodb\",\"db.rows_affected\":"
"\",\"cache.hit\":true,\"cache.hit\":false,\"cache.key\":[\"\"],\"cache.key\":\"\",\"cache.item_size\":"
"\",\"cache.operation\":\"get\",\"cache.ttl\":"
"\",\"messaging.system\":\"kafka\",\"messaging.destination.name\":\"\",\"messaging.message.id\":\""
"\",\"messaging.message.receive.latency\":0,\"messaging.message.retry.count\":0,\"messaging.message.body.size\":"
"\",\"messaging.operation\":\"publish\",\"messaging.operation.type\":\"process"
"\",\"rpc.system\":\"grpc\",\"rpc.service\":\"\",\"rpc.method\":\"\",\"rpc.grpc.status_code\":0"
",\"thread.id\":\"\",\"thread.name\":\"MainThread\",\"code.function\":\"\",\"code.function.name\":\"\",\"code.namespace\":\""
"\",\"code.filepath\":\"\",\"code.file.path\":\"\",\"code.lineno\":,\"code.line.number\":"
"\",\"process.pid\":,\"process.runtime.name\":\"node\",\"process.runtime.version\":\"v22."
"\",\"process.runtime.engine.name\":\"v8\",\"process.runtime.engine.version\":\""
"\",\"process.executable.name\":\"\",\"process.command_args\":[\""
"\",\"host.name\":\"\",\"host.arch\":\"amd64\",\"os.name\":\"Linux\",\"os.version\":\"\",\"os.type\":\"\",\"os.kernel_version\":\""
"\",\"app.start_time\":\"20\",\"app.memory\":,\"app.free_memory\":,\"device.archs\":[\"x64\"],\"device.boot_time\":\"20"
"\",\"device.memory_size\":,\"device.free_memory\":,\"device.processor_count\":,\"device.cpu_description\":\""
"\",\"device.processor_frequency\":,\"device.model\":\"\",\"device.family\":\"\",\"device.class\":\"high"
"\",\"culture.locale\":\"en-US\",\"culture.timezone\":\"UTC\",\"culture.calendar\":\"GregorianCalendar"
"\",\"user.id\":\"\",\"user.email\":\"\",\"user.name\":\"\",\"user.ip_address\":\"\",\"user.geo.country_code\":\"US"
"\",\"user_agent.original\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1.0.0.0 Safari/537.36"
"\",\"browser.name\":\"Chrome\",\"browser.version\":\"1\",\"browser.navigation.type\":\"navigate"
"\",\"k8s.pod.name\":\"\",\"k8s.namespace.name\":\"\",\"k8s.deployment.name\":\"\",\"container.id\":\"\",\"cloud.provider\":\"aws"
"\",\"cloud.region\":\"us-east-1\",\"cloud.region\":\"eu-west-1\",\"cloud.account.id\":\"\",\"faas.name\":\"\",\"service.name\":\""
"\",\"service.version\":\"\",\"service.namespace\":\"\",\"deployment.environment\":\"production\",\"telemetry.sdk.language\":\"nodejs"
"\",\"telemetry.sdk.name\":\"opentelemetry\",\"telemetry.sdk.version\":\"1.\",\"otel.scope.name\":\"@opentelemetry/instrumentation-"
"\",\"otel.scope.version\":\"0.\",\"otel.library.name\":\"io.opentelemetry.\",\"otel.kind\":\"SERVER\",\"otel.status_code\":\"OK"
"\",\"exception.type\":\"\",\"exception.message\":\"\",\"exception.stacktrace\":\"\",\"error.type\":\"TypeError\",\"level\":\"info"
"\",\"gen_ai.system\":\"openai\",\"gen_ai.request.model\":\"gpt-4o\",\"gen_ai.response.model\":\"\",\"gen_ai.operation.name\":\"chat"
"\",\"gen_ai.usage.input_tokens\":,\"gen_ai.usage.output_tokens\":,\"gen_ai.usage.total_tokens\":,\"gen_ai.agent.name\":\""
"\",\"gen_ai.tool.name\":\"\",\"gen_ai.request.messages\":\"[{\\\"role\\\":\\\"user\\\",\\\"content\\\":\\\""
"\",\"graphql.operation.name\":\"\",\"graphql.operation.type\":\"query\",\"graphql.document\":\"\",\"aws.request_id\":\""
"\",\"resource.render_blocking_status\":\"non-blocking\",\"http.response_delivery_type\":\"\",\"http.response_transfer_size\":"
",\"http.response_content_length\":,\"http.decoded_response_content_length\":,\"url.same_origin\":true,\"network.connection.rtt\":"
",\"network.connection.effective_type\":\"4g\",\"effectiveConnectionType\":\"4g\",\"deviceMemory\":\"8 GB\",\"hardwareConcurrency\":\""
"\",\"http.request.redirect_start\":,\"http.request.fetch_start\":,\"http.request.domain_lookup_start\":,\"http.request.domain_lookup_end\":"
",\"http.request.connect_start\":,\"http.request.secure_connection_start\":,\"http.request.connection_end\":,\"http.request.request_start\":"
",\"http.request.response_start\":,\"http.request.response_end\":,\"http.request.worker_start\":,\"http.request.time_to_first_byte\":"
",\"http.request.body.size\":,\"http.response.body.size\":,\"http.request.header.host\":\"\",\"http.request.header.connection\":\"keep-alive"
"\",\"http.request.header.user_agent\":\"\",\"http.request.header.accept\":\"*/*\",\"http.request_content_length\":,\"http.fragment\":\""
"\",\"http.user_agent\":\"\",\"http.client_ip\":\"\",\"client.address\":\"127.0.0.1\",\"client.port\":,\"network.local.address\":\""
"\",\"network.local.port\":,\"network.transport\":\"tcp\",\"network.type\":\"ipv4\",\"network.protocol.name\":\"http\",\"network.protocol.version\":\"1.1"
"\",\"network.peer.address\":\"\",\"network.peer.port\":5432,\"net.transport\":\"ip_tcp\",\"net.host.ip\":\"\",\"net.host.name\":\"localhost"
"\",\"net.host.port\":443,\"net.peer.ip\":\"::1\",\"net.peer.name\":\"\",\"net.peer.port\":8080,\"peer.service\":\"\",\"server.address\":\""
"\",\"server.port\":,\"url.full\":\"https://www.\",\"url.domain\":\"\",\"url.scheme\":\"http\",\"url.path\":\"/api/v1/\",\"url.query\":\"?page="
"\",\"url\":\"http://api.example.com/\",\"type\":\"fetch\",\"http.url\":\"http://localhost:\",\"http.host\":\"\",\"http.scheme\":\"https\",\"http.target\":\"/"
"\",\"http.flavor\":\"1.1\",\"http.query\":\"\",\"http.status_text\":\"OK\",\"http.status_code\":200,\"http.route\":\"/\",\"http.method\":\"GET"
"\",\"http.request.method\":\"POST\",\"http.response.status_text\":\"OK\",\"http.response.status_code\":404,\"http.response.status_code\":500"
",\"http.response.status_code\":200,\"express.type\":\"request_handler\",\"express.name\":\"jsonParser\",\"express.type\":\"middleware"
"\",\"sentry.sample_rate\":1,\"sentry.source\":\"url\",\"sentry.source\":\"route\",\"sentry.kind\":\"server\",\"sentry.status.message\":\""
"\",\"sentry.exclusive_time\":,\"sentry.idle_span_finish_reason\":\"idleTimeout\",\"sentry.previous_trace\":\"\",\"sentry.transaction\":\""
"\",\"sentry.trace_lifecycle\":\"stream\",\"sentry.segment.id\":\"\",\"sentry.segment.name.source\":\"route\",\"sentry.segment.name\":\"POST "
"\",\"sentry.sdk.name\":\"sentry.javascript.node\",\"sentry.sdk.name\":\"sentry.python\",\"sentry.sdk.version\":\"1"
"\",\"sentry.sdk.integrations\":[\"InboundFilters\",\"FunctionToString\",\"LinkedErrors\",\"Breadcrumbs\",\"HttpContext\",\"Dedupe\",\"BrowserSession"
"\"],\"sentry.release\":\"\",\"sentry.is_localhost\":true,\"sentry.environment\":\"production"
"\",\"sentry.op\":\"db\",\"sentry.op\":\"http.client\",\"sentry.op\":\"http.server\",\"sentry.origin\":\"manual\",\"sentry.origin\":\"auto.db."
"\",\"sentry.origin\":\"auto.http.otel.http\"}{\"sentry.origin\":\"auto.http.otel.express\",\"sentry.op\":\"middleware.express\""
" IS NOT NULL  GROUP BY  HAVING COUNT(*)  OFFSET DISTINCT COALESCE( LEFT OUTER JOIN  INNER JOIN  BETWEEN  AND NOT EXISTS ("
" RETURNING \"id\" ON CONFLICT DO NOTHING RELEASE SAVEPOINT ROLLBACK COMMIT BEGIN TRANSACTION  FOR UPDATE SKIP LOCKED"
"DELETE FROM  WHERE INSERT INTO  (id, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)  VALUES (%s, %s, %s, ?, ?, ?)"
"UPDATE  SET updated_at = now() WHERE id = $1 = %s AND  IN ( = ?  OR  ASC DESC LIMIT 1 ORDER BY  WHERE user_id = $2 LIMIT $1"
"SELECT * FROM SELECT count(*) FROM SELECT id, name FROM  AS SELECT \"_id\" = \"_id\".\"status\", \".\"name\", \"type\": \"value\": \"message\": \""
".js.css.png.svg.jpg.woff2/static/assets/images/index.html/users/orders/products/search/login/graphqlPUT DELETE PATCH http://https://"
"GET /api/POST /api/{\"db.system\":\"postgresql\"}{\"cache.hit\":true}{\"http.response.status_code\":200";

const uint32 spanset_dictionary_len = sizeof(spanset_dictionary) - 1;
