/*
 * alerts/alerts.h
 *		The alerts room: what the rest of the library calls.
 */
#ifndef PG_APM_ALERTS_H
#define PG_APM_ALERTS_H

/*
 * From _PG_init while shared_preload_libraries are loaded: asks for shared
 * memory, registers the launcher and follows commands on databases.
 */
extern void alerts_register_launcher(void);

#endif							/* PG_APM_ALERTS_H */
