CREATE EXTENSION pg_apm;

SELECT extversion, version() FROM pg_extension WHERE extname = 'pg_apm';
