//! Lists in order. By heaps: the library's sorting is quicker, and some thousand bytes for every type that is sorted, which a browser loads.
use std::collections::BinaryHeap;

/// From the least to the greatest. For lists of which a step sorts few.
pub fn sorted<T: Ord>(items: Vec<T>) -> Vec<T> {
    BinaryHeap::from(items).into_sorted_vec()
}
/// The same by a key; equal keys keep their order.
pub fn sorted_by_key<T, K: Ord>(items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let order: Vec<(K, usize)> = items.iter().enumerate().map(|(at, item)| (key(item), at)).collect();
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    sorted(order).into_iter().filter_map(|(_, at)| items.get_mut(at)?.take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_library_sorts() {
        let list: Vec<u64> = (0..100).map(|n| n * 37 % 41).collect();
        let mut expected = list.clone();
        expected.sort_unstable();
        assert_eq!(sorted(list.clone()), expected);
        let pairs: Vec<(u64, usize)> = list.into_iter().zip(0..).collect();
        let mut expected = pairs.clone();
        expected.sort_by_key(|(n, _)| *n);
        assert_eq!(sorted_by_key(pairs, |(n, _)| *n), expected);
    }
}
