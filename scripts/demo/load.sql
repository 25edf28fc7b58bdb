SELECT * FROM apm.load_demo(part => 'before');
