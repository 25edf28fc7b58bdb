SELECT apm.create_alert('slow checkout', 'p95(duration)', 900002, critical => 1000, warning => 850,
                        time_window => '16 hours', every => '5 s', transaction_name => 'POST /api/checkout', min_samples => 20);
