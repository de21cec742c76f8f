"""The poison methods for data that no memory holds: work by shard, results that add up, findings about all rows."""
