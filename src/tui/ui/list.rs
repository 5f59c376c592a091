//! A list with a cursor on it: the cursor follows the id, and rows keep their places while the cursor is there.

/// Ids in the order they are drawn, and the one the keys go to.
#[derive(Debug, Clone)]
pub struct List<Id> {
    order: Vec<Id>,
    cursor: Option<Id>,
    /// Rows that came while the list was held and stand at its end, not where the newest order has them.
    unplaced: Vec<Id>,
}

impl<Id> Default for List<Id> {
    fn default() -> Self {
        Self { order: Vec::new(), cursor: None, unplaced: Vec::new() }
    }
}

impl<Id: Clone + PartialEq> List<Id> {
    /// Takes the ids of a new snapshot. While `held`, rows keep their places and new ones go to the end: nothing moves
    /// under the cursor.
    pub fn see(&mut self, fresh: Vec<Id>, held: bool) {
        let place = self.place();
        if held && self.cursor.is_some() {
            self.order.retain(|id| fresh.contains(id));
            let new: Vec<Id> = fresh.iter().filter(|id| !self.order.contains(id)).cloned().collect();
            self.order.extend(new.iter().cloned());
            self.unplaced.retain(|id| fresh.contains(id));
            self.unplaced.extend(new);
        }
        if !held || self.cursor.is_none() || self.order == fresh {
            self.order = fresh;
            self.unplaced.clear();
        }
        // The row under the cursor is gone: its neighbour takes the cursor, not a stranger from elsewhere.
        if self.cursor.as_ref().is_some_and(|id| !self.order.contains(id)) {
            let last = self.order.len().checked_sub(1);
            self.cursor = last.map(|last| self.order[place.unwrap_or(0).min(last)].clone());
        }
    }

    /// The ids as drawn.
    pub fn order(&self) -> &[Id] {
        &self.order
    }

    /// The id under the cursor.
    pub const fn cursor(&self) -> Option<&Id> {
        self.cursor.as_ref()
    }

    /// The cursor's row.
    pub fn place(&self) -> Option<usize> {
        let cursor = self.cursor.as_ref()?;
        self.order.iter().position(|id| id == cursor)
    }

    /// How many new ones stand at the end until [`List::see`] comes without hold.
    pub const fn unplaced(&self) -> usize {
        self.unplaced.len()
    }

    /// Moves the cursor by rows, not past the ends; puts it on the first row when it is nowhere.
    pub fn step(&mut self, rows: isize) {
        let Some(last) = self.order.len().checked_sub(1) else { return };
        let place = self.place().map_or(0, |place| place.saturating_add_signed(rows).min(last));
        self.cursor = Some(self.order[place].clone());
    }

    /// Puts the cursor on an id, if it is in the list.
    pub fn select(&mut self, id: &Id) {
        if self.order.contains(id) {
            self.cursor = Some(id.clone());
        }
    }

    /// Takes the cursor away.
    pub fn leave(&mut self) {
        self.cursor = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_follows_the_id_and_new_rows_go_to_the_end() {
        let mut list = List::default();
        list.see(vec![1, 2, 3], true);
        assert_eq!((list.order(), list.unplaced()), (&[1, 2, 3][..], 0), "nothing holds before a cursor is there");
        list.step(0);
        list.step(1);
        list.see(vec![9, 3, 2, 1], true);
        assert_eq!((list.cursor(), list.order(), list.unplaced()), (Some(&2), &[1, 2, 3, 9][..], 1));
        list.see(vec![9, 3, 2, 1, 4], true);
        assert_eq!((list.order(), list.unplaced()), (&[1, 2, 3, 9, 4][..], 2));
        list.see(vec![9, 3, 2, 1], false);
        assert_eq!((list.cursor(), list.place(), list.unplaced()), (Some(&2), Some(2), 0));
    }

    #[test]
    fn a_row_that_belongs_at_the_end_is_nothing_to_ask_for() {
        let mut list = List::default();
        list.see(vec![1], true);
        list.step(0);
        list.see(vec![1, 2], true);
        list.see(vec![1, 2, 3], true);
        assert_eq!((list.order(), list.unplaced()), (&[1, 2, 3][..], 0));
    }

    #[test]
    fn a_row_that_goes_leaves_the_cursor_to_its_neighbour() {
        let mut list = List::default();
        list.see(vec![1, 2, 3], false);
        list.step(0);
        list.step(9);
        assert_eq!(list.cursor(), Some(&3));
        list.see(vec![1, 2], true);
        assert_eq!(list.cursor(), Some(&2));
        list.see(vec![], true);
        assert_eq!(list.cursor(), None);
    }
}
