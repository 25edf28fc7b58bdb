/*
 * compat.h
 *		Differences between server versions; the only place that looks at
 *		PG_VERSION_NUM.
 */
#ifndef PG_APM_COMPAT_H
#define PG_APM_COMPAT_H

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18 has the specifier of C11 under another name. */
#ifndef pg_attribute_noreturn
#define pg_attribute_noreturn() pg_noreturn
#endif

/* Needs access/genam.h where it is used. */
#if PG_VERSION_NUM >= 180000
#define apm_index_beginscan(heap, index, snapshot, nkeys, norderbys) \
	index_beginscan((heap), (index), (snapshot), NULL, (nkeys), (norderbys))
#else
#define apm_index_beginscan(heap, index, snapshot, nkeys, norderbys) \
	index_beginscan((heap), (index), (snapshot), (nkeys), (norderbys))
#endif

/* Needs utils/acl.h, and catalog/pg_database.h, where it is used. */
#if PG_VERSION_NUM >= 160000
#define apm_database_ownercheck(dboid, roleid) \
	object_ownercheck(DatabaseRelationId, (dboid), (roleid))
#else
#define apm_database_ownercheck(dboid, roleid) pg_database_ownercheck((dboid), (roleid))
#endif

#endif							/* PG_APM_COMPAT_H */
