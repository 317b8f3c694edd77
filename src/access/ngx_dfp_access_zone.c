#include "ngx_dfp_access_zone.h"


typedef struct {
    ngx_rbtree_node_t  node;       /* its key is the beginning of KEY */
    ngx_queue_t        queue;
    ngx_msec_t         added;
    u_char             key[DFP_SHA256_HEX_LEN];
} ngx_dfp_access_yes_t;


typedef struct {
    ngx_rbtree_t       tree;
    ngx_rbtree_node_t  sentinel;
    ngx_queue_t        queue;      /* the newest first */
} ngx_dfp_access_shared_t;


static ngx_int_t ngx_dfp_access_zone_init(ngx_shm_zone_t *zone, void *data);
static void ngx_dfp_access_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_dfp_access_yes_t *ngx_dfp_access_find(
    ngx_dfp_access_shared_t *shared, u_char *key);
static ngx_uint_t ngx_dfp_access_expired(ngx_dfp_access_yes_t *yes);
static ngx_dfp_access_yes_t *ngx_dfp_access_alloc(ngx_slab_pool_t *pool,
    ngx_dfp_access_shared_t *shared);
static ngx_uint_t ngx_dfp_access_forget(ngx_slab_pool_t *pool,
    ngx_dfp_access_shared_t *shared, ngx_uint_t force);
static uint32_t ngx_dfp_access_begin(u_char *key);


ngx_shm_zone_t *
ngx_dfp_access_zone(ngx_conf_t *cf)
{
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    ngx_str_set(&name, "dfpreheat_access");

    zone = ngx_shared_memory_add(cf, &name, NGX_DFP_ACCESS_ZONE,
                                 &ngx_http_dfpreheat_module);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = ngx_dfp_access_zone_init;

    return zone;
}


static ngx_int_t
ngx_dfp_access_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t          *pool;
    ngx_dfp_access_shared_t  *shared;

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data || zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    shared = ngx_slab_alloc(pool, sizeof(ngx_dfp_access_shared_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&shared->tree, &shared->sentinel, ngx_dfp_access_insert);
    ngx_queue_init(&shared->queue);

    pool->data = shared;
    pool->log_nomem = 0;

    zone->data = shared;

    return NGX_OK;
}


static void
ngx_dfp_access_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_int_t              rc;
    ngx_rbtree_node_t    **p;
    ngx_dfp_access_yes_t  *yes, *other;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            yes = (ngx_dfp_access_yes_t *) node;
            other = (ngx_dfp_access_yes_t *) temp;

            rc = ngx_memcmp(yes->key, other->key, DFP_SHA256_HEX_LEN);
            p = (rc < 0) ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


ngx_uint_t
ngx_dfp_access_known(ngx_shm_zone_t *zone, u_char *key)
{
    ngx_uint_t                known;
    ngx_slab_pool_t          *pool;
    ngx_dfp_access_yes_t     *yes;

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    yes = ngx_dfp_access_find(zone->data, key);
    known = yes && !ngx_dfp_access_expired(yes);

    ngx_shmtx_unlock(&pool->mutex);

    return known;
}


void
ngx_dfp_access_remember(ngx_shm_zone_t *zone, u_char *key)
{
    ngx_slab_pool_t          *pool;
    ngx_dfp_access_yes_t     *yes;
    ngx_dfp_access_shared_t  *shared;

    pool = (ngx_slab_pool_t *) zone->shm.addr;
    shared = zone->data;

    ngx_shmtx_lock(&pool->mutex);

    yes = ngx_dfp_access_find(shared, key);

    if (yes) {
        ngx_queue_remove(&yes->queue);

    } else {
        yes = ngx_dfp_access_alloc(pool, shared);

        if (yes) {
            yes->node.key = ngx_dfp_access_begin(key);
            ngx_memcpy(yes->key, key, DFP_SHA256_HEX_LEN);
            ngx_rbtree_insert(&shared->tree, &yes->node);
        }
    }

    if (yes) {
        yes->added = ngx_current_msec;
        ngx_queue_insert_head(&shared->queue, &yes->queue);
    }

    ngx_shmtx_unlock(&pool->mutex);
}


static ngx_dfp_access_yes_t *
ngx_dfp_access_find(ngx_dfp_access_shared_t *shared, u_char *key)
{
    uint32_t               begin;
    ngx_int_t              rc;
    ngx_rbtree_node_t     *node;
    ngx_dfp_access_yes_t  *yes;

    begin = ngx_dfp_access_begin(key);
    node = shared->tree.root;

    while (node != &shared->sentinel) {

        if (begin != node->key) {
            node = (begin < node->key) ? node->left : node->right;
            continue;
        }

        yes = (ngx_dfp_access_yes_t *) node;
        rc = ngx_memcmp(key, yes->key, DFP_SHA256_HEX_LEN);

        if (rc == 0) {
            return yes;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


/* All workers have the same monotonic clock. */

static ngx_uint_t
ngx_dfp_access_expired(ngx_dfp_access_yes_t *yes)
{
    return (ngx_msec_int_t) (ngx_current_msec - yes->added)
           >= NGX_DFP_ACCESS_TIME;
}


static ngx_dfp_access_yes_t *
ngx_dfp_access_alloc(ngx_slab_pool_t *pool, ngx_dfp_access_shared_t *shared)
{
    ngx_dfp_access_yes_t  *yes;

    /* two are removed for each new one, so that the zone empties */

    (void) ngx_dfp_access_forget(pool, shared, 0);
    (void) ngx_dfp_access_forget(pool, shared, 0);

    yes = ngx_slab_alloc_locked(pool, sizeof(ngx_dfp_access_yes_t));

    if (yes || !ngx_dfp_access_forget(pool, shared, 1)) {
        return yes;
    }

    return ngx_slab_alloc_locked(pool, sizeof(ngx_dfp_access_yes_t));
}


/* Removes the oldest one if it has expired, or with FORCE. */

static ngx_uint_t
ngx_dfp_access_forget(ngx_slab_pool_t *pool, ngx_dfp_access_shared_t *shared,
    ngx_uint_t force)
{
    ngx_queue_t           *q;
    ngx_dfp_access_yes_t  *yes;

    if (ngx_queue_empty(&shared->queue)) {
        return 0;
    }

    q = ngx_queue_last(&shared->queue);
    yes = ngx_queue_data(q, ngx_dfp_access_yes_t, queue);

    if (!force && !ngx_dfp_access_expired(yes)) {
        return 0;
    }

    ngx_queue_remove(q);
    ngx_rbtree_delete(&shared->tree, &yes->node);
    ngx_slab_free_locked(pool, yes);

    return 1;
}


static uint32_t
ngx_dfp_access_begin(u_char *key)
{
    uint32_t  begin;

    ngx_memcpy(&begin, key, sizeof(uint32_t));

    return begin;
}
