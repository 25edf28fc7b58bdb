SELECT * FROM apm.worker_status;
