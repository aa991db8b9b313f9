-- The job in PostgreSQL: nearest feasible source of two lines, taken, remembered, in one function.
-- Loaded by psql with -v folder=...; near lists are made beforehand, the walk follows their index
-- and probes the primary key of stock, in the order of distance, until a node holds both.
CREATE TABLE items (id text PRIMARY KEY, item int NOT NULL);
CREATE TABLE stock (item int, node int, free int NOT NULL) WITH (fillfactor = 80);
CREATE TABLE near (area int, rank int, node int NOT NULL);
CREATE TABLE orders (id text PRIMARY KEY, n1 int NOT NULL, n2 int NOT NULL);
\set items 'COPY items FROM ''' :folder '/items.csv'' CSV'
\set stock 'COPY stock FROM ''' :folder '/stock.csv'' CSV'
\set near 'COPY near FROM ''' :folder '/near.csv'' CSV'
:items;
:stock;
:near;
ALTER TABLE stock ADD PRIMARY KEY (item, node);
ALTER TABLE near ADD PRIMARY KEY (area, rank) INCLUDE (node);
VACUUM ANALYZE;

-- The walk from the near list is always right here; the planner need not weigh it each time.
-- Scalar subqueries are not turned into joins: the list leads, each node is probed twice at most.
ALTER DATABASE bench SET enable_sort = off;
ALTER DATABASE bench SET enable_bitmapscan = on;
ALTER DATABASE bench SET jit = off;
ALTER DATABASE bench SET plan_cache_mode = force_generic_plan;

CREATE FUNCTION route(order_id text, in_area int, name1 text, q1 int, name2 text, q2 int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  i1 int; i2 int; v1 int; v2 int; taken int;
BEGIN
  SELECT n1, n2 INTO v1, v2 FROM orders WHERE id = order_id;
  IF FOUND THEN
    RETURN (1::bigint << 34) + (v1::bigint << 17) + v2;
  END IF;
  SELECT item INTO i1 FROM items WHERE id = name1;
  SELECT item INTO i2 FROM items WHERE id = name2;
  LOOP
    SELECT n.node, n.node INTO v1, v2 FROM near n WHERE n.area = in_area
      AND (SELECT free FROM stock WHERE item = i1 AND node = n.node) >= q1
      AND (SELECT free FROM stock WHERE item = i2 AND node = n.node) >= q2
      ORDER BY n.rank LIMIT 1;
    IF NOT FOUND THEN
      SELECT n.node INTO v1 FROM near n WHERE n.area = in_area
        AND (SELECT free FROM stock WHERE item = i1 AND node = n.node) >= q1
        ORDER BY n.rank LIMIT 1;
      SELECT n.node INTO v2 FROM near n WHERE n.area = in_area
        AND (SELECT free FROM stock WHERE item = i2 AND node = n.node) >= q2
        ORDER BY n.rank LIMIT 1;
      IF v1 IS NULL OR v2 IS NULL THEN
        RETURN -1;
      END IF;
    END IF;
    -- Both or none: another transaction may have taken one since it was read.
    UPDATE stock SET free = free - CASE item WHEN i1 THEN q1 ELSE q2 END
      WHERE (item = i1 AND node = v1 AND free >= q1) OR (item = i2 AND node = v2 AND free >= q2);
    GET DIAGNOSTICS taken = ROW_COUNT;
    EXIT WHEN taken = 2;
    IF taken = 1 THEN
      RAISE EXCEPTION 'taken meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
  END LOOP;
  INSERT INTO orders VALUES (order_id, v1, v2);
  RETURN (v1::bigint << 17) + v2;
END $$;
